"""Workflow step Settle: capture and register, or release and explain."""

from snapforge.jobs.domain.workflow import SettleAnswer, SettleCall
from snapforge.jobs.service.runs import settlement
from snapforge.triggers import step


@step(SettleCall, SettleAnswer)
def handler(call: SettleCall) -> SettleAnswer:
    """End the run, once."""
    return settlement.settle(call)
