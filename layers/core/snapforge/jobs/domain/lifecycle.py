"""The life of a job: states, runs, attempts. Pure: each function takes a Life and returns the next, or refuses.

A run is one try by the customer, an attempt one try by the engine within it. A job ends once per run; only a retry by
the customer, as a new run with a new hold, leaves `failed` or `canceled`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from snapforge.contracts.reports import FailureCategory
from snapforge.jobs.domain import failures


class State(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    canceled = "canceled"


FINAL = frozenset({State.succeeded, State.failed, State.canceled})
MOVES = {
    State.queued: frozenset({State.running, State.succeeded, State.failed, State.canceled}),
    State.running: frozenset({State.running, State.succeeded, State.failed, State.canceled}),
    State.succeeded: frozenset[State](),
    State.failed: frozenset({State.queued}),
    State.canceled: frozenset({State.queued}),
}


class IllegalMoveError(Exception):
    """This job cannot go there from where it stands."""


@dataclass(frozen=True, slots=True)
class Life:
    """What decides about a job. `failed` are the categories of this run's ended attempts, in order."""

    state: State = State.queued
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
        """Whether news of this run and attempt still counts."""
        return not self.final and (self.run, self.attempt) == (run, attempt)


def _move(life: Life, to: State) -> Life:
    if to not in MOVES[life.state]:
        raise IllegalMoveError(f"{life.state} → {to}")
    return replace(life, state=to)


def begin(life: Life) -> Life:
    """A worker is at it."""
    return _move(life, State.running)


def end(life: Life, to: State) -> Life:
    """The run ends, in a state of FINAL."""
    if to not in FINAL:
        raise IllegalMoveError(f"{to} is no end")
    return _move(life, to)


def restart(life: Life) -> Life:
    """The customer tries again: a new run, from its first attempt."""
    return replace(_move(life, State.queued), run=life.run + 1, attempt=1, reduced=False, failed=(), recovery=0)


def fail_attempt(life: Life, category: FailureCategory) -> tuple[Life, failures.Again | None]:
    """The current attempt failed: the life with its next attempt and how to go about it, or (unchanged) None."""
    if life.final:
        raise IllegalMoveError("it has ended")
    failed = (*life.failed, category)
    again = failures.next_attempt(failed, reduced=life.reduced)
    if again is None:
        return life, None
    return replace(life, attempt=life.attempt + 1, reduced=again.reduced, failed=failed), again


MAX_RECOVERIES = 3


def recover(life: Life) -> Life | None:
    """The execution was lost: the life with another one, or None when that happened too often."""
    if life.final:
        raise IllegalMoveError("it has ended")
    return replace(life, recovery=life.recovery + 1) if life.recovery < MAX_RECOVERIES else None
