"""What a customer is told of work under way: a percent that never falls within a run, and when it should end."""

from dataclasses import dataclass
from datetime import datetime

from snapforge.jobs.domain.lifecycle import JobState


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """The latest progress. `floor` is what earlier attempts of the run had reached."""

    attempt: int
    percent: int
    floor: int
    stage: str
    eta_seconds: int | None
    at: datetime


def floor(before: ProgressSnapshot | None) -> int:
    """What a new attempt's percent must not fall below."""
    return max(before.floor, before.percent) if before else 0


def percent(state: JobState, latest: ProgressSnapshot | None) -> int:
    """0 to 100; 100 only for what succeeded."""
    if state is JobState.succeeded:
        return 100
    return min(99, max(latest.floor, latest.percent)) if latest else 0


def eta_seconds(
    state: JobState, latest: ProgressSnapshot | None, predicted: int, started: datetime | None
) -> int | None:
    """Seconds until the end, as of the latest progress: the worker's own estimate, else what is left of the prediction.

    It does not count down between two reports, so that a poller sees no change where nothing was told. None when nobody
    can know: it has ended, or takes longer than was thought.
    """
    if state not in {JobState.queued, JobState.running}:
        return None
    if latest is None:
        return predicted
    if latest.eta_seconds is not None:
        return latest.eta_seconds
    left = predicted - (int((latest.at - started).total_seconds()) if started else 0)
    return left if left > 0 else None
