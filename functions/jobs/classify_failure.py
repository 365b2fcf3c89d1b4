"""Workflow step Classify: another attempt, or the end?"""

from snapforge.jobs import service
from snapforge.jobs.workflow import ClassifyAnswer, ClassifyCall
from snapforge.triggers import step


@step(ClassifyCall, ClassifyAnswer)
def handler(call: ClassifyCall) -> ClassifyAnswer:
    """Whose fault it was decides."""
    return service.classify(call)
