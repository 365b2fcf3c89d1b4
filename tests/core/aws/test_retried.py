"""Decisions on rows that others change at the same time: taken again, for as long as an endpoint can wait."""

import time
from typing import NoReturn

import pytest

from snapforge.aws import tables
from snapforge.kit.errors import Unavailable

pytestmark = pytest.mark.part("API-2")


class Clock:
    """Time that passes only while somebody sleeps, and while a decision is taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, decision: float) -> None:
        self.now, self.decisions, self._decision = 0.0, 0, decision
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._pass)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def stale(self) -> NoReturn:
        self.decisions += 1
        self._pass(self._decision)
        raise tables.Stale


def test_what_was_stale_is_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision that holds is the answer."""
    clock = Clock(monkeypatch, decision=0.01)

    def third_holds() -> str:
        if clock.decisions < 2:
            clock.stale()
        return "held"

    assert tables.retried(third_holds) == "held"


def test_a_quick_decision_is_tried_twelve_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the caller is asked to come again."""
    clock = Clock(monkeypatch, decision=0.01)
    with pytest.raises(Unavailable):
        tables.retried(clock.stale)
    assert clock.decisions == 12


def test_slow_decisions_end_before_the_function_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 that says to come again, where the function's Timeout would make it a 500."""
    clock = Clock(monkeypatch, decision=4.0)
    with pytest.raises(Unavailable):
        tables.retried(clock.stale)
    assert tables.PATIENCE_SECONDS <= clock.now < 29 - 4.0
    assert clock.decisions < 12
