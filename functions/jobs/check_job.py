"""Workflow step Check: is the run still wanted?"""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service
from snapforge.jobs.workflow import RunRef


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Takes a RunRef; answers a CheckAnswer."""
    return service.check(RunRef.model_validate(event)).model_dump(mode="json")
