"""What each of the racing processes does. Spawned, so that it has clients of its own."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import TypeVar

from snapforge.billing import errors
from snapforge.billing.domain import Settled
from snapforge.billing.service import ledger
from snapforge.kit.errors import Unavailable
from tests.core.billing.operations import hold, settle

ROUNDS = 6
T = TypeVar("T")


@dataclass(frozen=True)
class Orgs:
    """An org per race."""

    one_grant: str
    one_hold: str
    two_thirds: str
    mixed: str


@dataclass(frozen=True)
class ProgressSnapshot:
    """What one process saw."""

    journal_id: str
    ended: Settled
    was_first: bool
    got_sixty: bool
    captured: int
    refused: int
    busy: int


def patiently(draft: Callable[[], T]) -> tuple[T, int]:
    """Repeat a draft while the answer is 503, as a client does; returns the 503s, too."""
    busy = 0
    while True:
        try:
            return draft(), busy
        except Unavailable:
            busy += 1


def race(number: int, orgs: Orgs, start: Barrier, told: "Queue[ProgressSnapshot]") -> None:
    """Run all races with the others; each begins when everybody is there."""
    ledger.balance(orgs.mixed)  # the client is made before the start
    dice = random.Random(number)

    start.wait(60)
    journal, busy = patiently(lambda: ledger.grant(orgs.one_grant, credits=10, kind="pack", key="order:1", memo="Pack"))

    start.wait(60)
    try:
        ended, waited = patiently(lambda: settle(orgs.one_hold, number))
        was_first, busy = True, busy + waited
    except errors.HoldEnded as error:
        ended, was_first = error.settled, False

    start.wait(60)
    try:
        _, waited = patiently(lambda: hold(orgs.two_thirds, 60, f"h{number}"))
        got_sixty, busy = True, busy + waited
    except errors.InsufficientCredits:
        got_sixty = False

    start.wait(60)
    captured = refused = 0
    for turn in range(ROUNDS):
        hold_id, capture = f"h{number}.{turn}", dice.randint(0, 7)
        try:
            _, waited = patiently(lambda hold_id=hold_id: hold(orgs.mixed, 7, hold_id))  # type: ignore[misc]
        except errors.InsufficientCredits:
            refused += 1
            continue
        busy += waited
        settled, waited = patiently(
            lambda hold_id=hold_id, capture=capture: settle(orgs.mixed, capture, hold_id)  # type: ignore[misc]
        )
        captured, busy = captured + settled.captured, busy + waited
    told.put(ProgressSnapshot(journal.id, ended, was_first, got_sixty, captured, refused, busy))
