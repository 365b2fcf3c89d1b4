"""Workflow step Check: is the run still wanted?"""

from snapforge.jobs import service
from snapforge.jobs.workflow import CheckAnswer, RunRef
from snapforge.triggers import step


@step(RunRef, CheckAnswer)
def handler(ref: RunRef) -> CheckAnswer:
    """And which attempt is next."""
    return service.check(ref)
