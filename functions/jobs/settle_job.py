"""Workflow step Settle: capture and register, or release and explain."""

from snapforge.jobs import service
from snapforge.jobs.workflow import SettleAnswer, SettleCall
from snapforge.triggers import step


@step(SettleCall, SettleAnswer)
def handler(call: SettleCall) -> SettleAnswer:
    """End the run, once."""
    return service.settle(call)
