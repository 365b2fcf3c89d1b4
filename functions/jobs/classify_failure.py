"""Workflow step Classify: another attempt, or the end?"""

from snapforge.jobs.domain.workflow import ClassifyAnswer, ClassifyCall
from snapforge.jobs.service.runs import steps
from snapforge.triggers import step


@step(ClassifyCall, ClassifyAnswer)
def handler(call: ClassifyCall) -> ClassifyAnswer:
    """Whose fault it was decides."""
    return steps.classify(call)
