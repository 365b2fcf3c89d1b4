"""What a customer is told of work under way: a percent that never falls within a run, and when it should end."""

from dataclasses import dataclass
from datetime import datetime

from snapforge.jobs.domain.lifecycle import State


@dataclass(frozen=True, slots=True)
class Told:
    """The latest progress. `floor` is what earlier attempts of the run had reached."""

    attempt: int
    percent: int
    floor: int
    stage: str
    eta_seconds: int | None
    at: datetime


def floor(before: Told | None) -> int:
    """What a new attempt's percent must not fall below."""
    return max(before.floor, before.percent) if before else 0


def percent(state: State, told: Told | None) -> int:
    """0 to 100; 100 only for what succeeded."""
    if state is State.succeeded:
        return 100
    return min(99, max(told.floor, told.percent)) if told else 0


def eta_seconds(state: State, told: Told | None, predicted: int, started: datetime | None) -> int | None:
    """Seconds until the end, as of the latest progress: the worker's own estimate, else what is left of the prediction.

    It does not count down between two reports, so that a poller sees no change where nothing was told. None when nobody
    can know: it has ended, or takes longer than was thought.
    """
    if state not in {State.queued, State.running}:
        return None
    if told is None:
        return predicted
    if told.eta_seconds is not None:
        return told.eta_seconds
    left = predicted - (int((told.at - started).total_seconds()) if started else 0)
    return left if left > 0 else None
