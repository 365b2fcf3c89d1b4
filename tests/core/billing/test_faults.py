"""Conflicts, lost answers and sudden death: nothing lost, nothing twice."""

import multiprocessing
import signal
from collections.abc import Iterator

import pytest

from snapforge.aws import tables
from snapforge.billing import errors
from snapforge.billing.service import audits, ledger
from snapforge.kit.errors import Unavailable
from tests.core.billing.faults import conflicts, die, do, lost_answer
from tests.core.billing.operations import hold, new_org, news, raised, settle

pytestmark = [pytest.mark.part("BIL-1"), pytest.mark.usefixtures("aws")]


@pytest.fixture
def org_id() -> Iterator[str]:
    """An org with 10 credits and the hold h1 of 4 of them; its ledger is exact after every test."""
    made = new_org(10)
    hold(made, 4)
    yield made
    assert audits.audit(made) == []


@pytest.fixture(scope="module")
def orgs(aws: object) -> dict[tuple[str, str], str]:
    """Six deaths, all at once: org by draft and moment."""
    context = multiprocessing.get_context("spawn")
    orgs = {}
    victims = []
    for draft in ("grant", "hold", "settle"):
        for moment in ("before", "after"):
            orgs[draft, moment] = new_org(10)
            hold(orgs[draft, moment], 4)
            victims.append(context.Process(target=die, args=(draft, moment, orgs[draft, moment])))
    for victim in victims:
        victim.start()
    for victim in victims:
        victim.join(120)
    assert [victim.exitcode for victim in victims] == [-signal.SIGKILL] * 6
    return orgs


class TestConflicts:
    """DynamoDB refuses a transaction while another one touches its items."""

    def test_are_retried_until_written(self, org_id: str) -> None:
        """Case 79: three conflicts, then the same hold goes through, once."""
        with conflicts(3) as sent:
            hold(org_id, 3, "h2")
        assert len(sent) == 4
        assert ledger.balance(org_id).held == 7

    def test_without_end_are_a_503_and_nothing_is_written(self, org_id: str) -> None:
        """The client may send the same request again."""
        with conflicts(10_000) as sent, pytest.raises(Unavailable) as refused:
            settle(org_id, 1)
        assert refused.value.retryable
        assert len(sent) == tables.ATTEMPTS
        assert ledger.balance(org_id).held == 4
        assert settle(org_id, 1).captured == 1


class TestLostAnswers:
    """The transaction is written and the caller does not know."""

    @pytest.mark.parametrize(("draft", "again"), [("grant", ""), ("hold", "AlreadyPosted"), ("settle", "HoldEnded")])
    def test_are_made_good_by_doing_it_again(self, org_id: str, draft: str, again: str) -> None:
        """The repeated draft finds itself done."""
        with lost_answer():
            assert raised(lambda: do(draft, org_id)) == "Unavailable"
        before = ledger.balance(org_id)
        assert raised(lambda: do(draft, org_id)) == again
        assert ledger.balance(org_id) == before


class TestSuddenDeath:
    """SIGKILL in the middle of a draft, then the draft again."""

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize(
        ("draft", "again", "balance"),
        [("grant", "", (11, 4)), ("hold", "AlreadyPosted", (3, 7)), ("settle", "HoldEnded", (9, 0))],
    )
    def test_leaves_all_or_nothing(
        self, orgs: dict[tuple[str, str], str], draft: str, again: str, balance: tuple[int, int], moment: str
    ) -> None:
        """Before the write: the second try does it. After: the second try finds it done, with its news."""
        org_id = orgs[draft, moment]
        assert audits.audit(org_id) == []
        assert raised(lambda: do(draft, org_id)) == (again if moment == "after" else "")
        now = ledger.balance(org_id)
        assert (now.available, now.held) == balance
        assert len(news(org_id)) == (2 if draft == "grant" else 1)
        assert audits.audit(org_id) == []


class TestDoubledDelivery:
    """Every event twice."""

    def test_of_a_settle_that_another_ended_differently(self, org_id: str) -> None:
        """Release against capture: the first counts, the second learns it."""
        settle(org_id, 0, key="release:h1")
        with pytest.raises(errors.HoldEnded) as ended:
            settle(org_id, 4)
        assert (ended.value.settled.captured, ended.value.settled.released) == (0, 4)
