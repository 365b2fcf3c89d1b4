"""What the sweeper does with an unfinished job, given what the engine says of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Execution = Literal["absent", "running", "ended"]
Work = Literal["none", "waiting", "working", "ended", "reported"]
"""The current attempt: not dispatched; in Batch's queue; on a machine; ended in Batch's eyes, reported by
nobody; reported to us, whether or not the workflow heard it."""
Action = Literal["leave", "start", "restart", "report", "settle_done", "fail_deadline", "fail_lost"]


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The facts, each asked of the one who knows."""

    execution: Execution
    work: Work
    result: bool
    """The attempt's result.json lies in S3."""
    recoveries_left: bool


def decide(observed: ObservedState, now: datetime, deadline: datetime) -> Action:
    """What to do about an unfinished job.

    leave: all is well, look again later. start: its execution never began. restart: its execution is lost, another
    takes over. report: the attempt has ended and the workflow waits to hear it. settle_done: the work is done but no
    workflow will say so in time. fail_deadline, fail_lost: nothing will come of it.
    """
    late = now >= deadline
    if late:
        return "settle_done" if observed.result else "fail_deadline"
    if observed.execution == "absent":
        return "start"
    if observed.execution == "ended":
        if observed.result:
            return "settle_done"
        return "restart" if observed.recoveries_left else "fail_lost"
    return "report" if observed.work in {"ended", "reported"} else "leave"
