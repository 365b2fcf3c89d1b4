"""Workflow step Settle: capture and register, or release and explain."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service
from snapforge.jobs.workflow import SettleCall


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Takes a SettleCall; answers a SettleAnswer."""
    return service.settle(SettleCall.model_validate(event)).model_dump(mode="json")
