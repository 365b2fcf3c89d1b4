"""Workflow step Dispatch: hand the attempt to Batch."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service
from snapforge.jobs.workflow import DispatchCall


@observe.consumer
def handler(event: dict[str, Any], context: object) -> None:
    """Takes a DispatchCall; the workflow goes on when its task token is answered with an Outcome."""
    service.dispatch(DispatchCall.model_validate(event))
