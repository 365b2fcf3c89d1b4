"""Workflow step Check: is the run still wanted?"""

from snapforge.jobs.domain.workflow import CheckAnswer, RunRef
from snapforge.jobs.service.runs import steps
from snapforge.triggers import step


@step(RunRef, CheckAnswer)
def handler(ref: RunRef) -> CheckAnswer:
    """And which attempt is next."""
    return steps.check(ref)
