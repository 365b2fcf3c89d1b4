"""What the sweeper does with an unfinished job, given what the engine says of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Execution = Literal["absent", "running", "ended"]
Work = Literal["none", "waiting", "working", "ended", "told"]
"""The current attempt: not dispatched; in Batch's queue; on a machine; ended in Batch's eyes and not told by anybody;
told to us, whether or not the workflow heard it."""
Action = Literal["leave", "start", "restart", "tell", "settle_done", "fail_deadline", "fail_lost"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The facts, each asked of the one who knows."""

    execution: Execution
    work: Work
    result: bool
    """The attempt's result.json lies in S3."""
    recoveries_left: bool


def decide(truth: Truth, now: datetime, deadline: datetime) -> Action:
    """What to do about an unfinished job.

    leave: all is well, look again later. start: its execution never began. restart: its execution is lost, another
    takes over. tell: the attempt has ended and the workflow waits for that news. settle_done: the work is done but no
    workflow will say so in time. fail_deadline, fail_lost: nothing will come of it.
    """
    late = now >= deadline
    if late:
        return "settle_done" if truth.result else "fail_deadline"
    if truth.execution == "absent":
        return "start"
    if truth.execution == "ended":
        if truth.result:
            return "settle_done"
        return "restart" if truth.recoveries_left else "fail_lost"
    return "tell" if truth.work in {"ended", "told"} else "leave"
