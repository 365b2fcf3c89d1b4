"""Workflow step Classify: another attempt, or the end?"""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service
from snapforge.jobs.workflow import ClassifyCall


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Takes a ClassifyCall; answers a ClassifyAnswer."""
    return service.classify(ClassifyCall.model_validate(event)).model_dump(mode="json")
