"""Workflow step Dispatch: hand the attempt to whoever works on it."""

from snapforge.jobs.domain.workflow import DispatchCall
from snapforge.jobs.service.runs import dispatch
from snapforge.triggers import step


@step(DispatchCall)
def handler(call: DispatchCall) -> None:
    """The workflow goes on when its task token is answered with an Outcome."""
    dispatch.dispatch(call)
