"""The life of a job: states, runs, attempts. Pure: each function takes a Lifecycle and returns the next, or refuses.

A run is one try by the customer, an attempt one try by the engine within it. A job ends once per run; only a retry by
the customer, as a new run with a new hold, leaves `failed` or `canceled`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from snapforge.contracts.reports import FailureCategory
from snapforge.jobs.domain import failures


class JobState(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    canceled = "canceled"


FINAL = frozenset({JobState.succeeded, JobState.failed, JobState.canceled})
MOVES = {
    JobState.queued: frozenset({JobState.running, JobState.succeeded, JobState.failed, JobState.canceled}),
    JobState.running: frozenset({JobState.running, JobState.succeeded, JobState.failed, JobState.canceled}),
    JobState.succeeded: frozenset[JobState](),
    JobState.failed: frozenset({JobState.queued}),
    JobState.canceled: frozenset({JobState.queued}),
}


class IllegalMoveError(Exception):
    """This job cannot go there from where it stands."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What decides about a job. `failed` are the categories of this run's ended attempts, in order."""

    state: JobState = JobState.queued
    run: int = 1
    attempt: int = 1
    reduced: bool = False
    failed: tuple[FailureCategory, ...] = ()
    recovery: int = 0
    """Executions of this run that were lost."""

    @property
    def final(self) -> bool:
        """Whether this run has ended."""
        return self.state in FINAL

    def awaits(self, run: int, attempt: int) -> bool:
        """Whether a report of this run and attempt still counts."""
        return not self.final and (self.run, self.attempt) == (run, attempt)


def _move(life: Lifecycle, to: JobState) -> Lifecycle:
    if to not in MOVES[life.state]:
        raise IllegalMoveError(f"{life.state} → {to}")
    return replace(life, state=to)


def begin(life: Lifecycle) -> Lifecycle:
    """A worker is at it."""
    return _move(life, JobState.running)


def end(life: Lifecycle, to: JobState) -> Lifecycle:
    """The run ends, in a state of FINAL."""
    if to not in FINAL:
        raise IllegalMoveError(f"{to} is no end")
    return _move(life, to)


def restart(life: Lifecycle) -> Lifecycle:
    """The customer tries again: a new run, from its first attempt."""
    return replace(_move(life, JobState.queued), run=life.run + 1, attempt=1, reduced=False, failed=(), recovery=0)


def fail_attempt(life: Lifecycle, category: FailureCategory) -> tuple[Lifecycle, failures.NextAttempt | None]:
    """The current attempt failed: the life with its next attempt and how to go about it, or (unchanged) None."""
    if life.final:
        raise IllegalMoveError("it has ended")
    failed = (*life.failed, category)
    again = failures.next_attempt(failed, reduced=life.reduced)
    if again is None:
        return life, None
    return replace(life, attempt=life.attempt + 1, reduced=again.reduced, failed=failed), again


MAX_RECOVERIES = 3


def recover(life: Lifecycle) -> Lifecycle | None:
    """The execution was lost: the life with another one, or None when that happened too often."""
    if life.final:
        raise IllegalMoveError("it has ended")
    return replace(life, recovery=life.recovery + 1) if life.recovery < MAX_RECOVERIES else None
