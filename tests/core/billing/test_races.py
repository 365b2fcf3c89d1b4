"""Eight processes on one balance: exact."""

import multiprocessing
from dataclasses import dataclass

import pytest

from snapforge.billing.service import audits, ledger
from tests.core.billing.operations import hold, new_org
from tests.core.billing.racer import Orgs, ProgressSnapshot, race
from tests.support.aws import Aws

PROCESSES = 8
pytestmark = pytest.mark.part("BIL-1")


@dataclass(frozen=True)
class Raced:
    """The orgs after the races, and what each process saw."""

    orgs: Orgs
    told: list[ProgressSnapshot]


@pytest.fixture(scope="module")
def raced(aws: Aws) -> Raced:
    """All races, run once."""
    orgs = Orgs(one_grant=new_org(), one_hold=new_org(100), two_thirds=new_org(100), mixed=new_org(100))
    hold(orgs.one_hold, PROCESSES)
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(PROCESSES), context.Queue()
    racers = [
        context.Process(target=race, args=(number, orgs, start, told), daemon=True) for number in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    seen = [told.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join(10)
    return Raced(orgs, seen)


class TestEightProcesses:
    def test_grant_once_under_one_key(self, raced: Raced) -> None:
        """All eight get the same journal; the account is made by one of them."""
        assert len({told.journal_id for told in raced.told}) == 1
        assert ledger.balance(raced.orgs.one_grant).available == 10
        assert audits.audit(raced.orgs.one_grant) == []

    def test_end_one_hold_once(self, raced: Raced) -> None:
        """One ends it; the seven others are told how it ended."""
        assert sum(told.was_first for told in raced.told) == 1
        (settled,) = {told.ended for told in raced.told}
        assert settled.captured + settled.released == PROCESSES
        balance = ledger.balance(raced.orgs.one_hold)
        assert (balance.available, balance.held) == (100 - settled.captured, 0)
        assert audits.audit(raced.orgs.one_hold) == []

    def test_hold_sixty_of_a_hundred_once(self, raced: Raced) -> None:
        """Case 79: exactly one succeeds."""
        assert sum(told.got_sixty for told in raced.told) == 1
        assert ledger.balance(raced.orgs.two_thirds).held == 60
        assert audits.audit(raced.orgs.two_thirds) == []

    def test_spend_one_balance_exactly(self, raced: Raced) -> None:
        """48 holds of 7 with random captures on 100 credits: what is left is what was not captured."""
        captured = sum(told.captured for told in raced.told)
        assert captured > 0
        balance = ledger.balance(raced.orgs.mixed)
        assert (balance.available, balance.held, balance.debt) == (100 - captured, 0, 0)
        assert audits.audit(raced.orgs.mixed) == []
