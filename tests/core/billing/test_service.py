"""Billing's operations on real tables."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from snapforge.aws import tables
from snapforge.aws.tables import Transaction
from snapforge.billing import errors, store
from snapforge.billing.domain import Settled
from snapforge.billing.events import EXAMPLES
from snapforge.billing.service import audits, ledger
from snapforge.kit import clock, ids
from snapforge.kit.page import InvalidCursor, encode_cursor
from tests.core.billing.operations import hold, new_org, news, settle

pytestmark = [pytest.mark.part("BIL-1"), pytest.mark.usefixtures("aws")]
HOUR = timedelta(hours=1)


@pytest.fixture
def calls() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every call to DynamoDB: operation and parameters."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, params))

    events = tables.connection().client.meta.events
    events.register("provide-client-params.dynamodb.*", record)
    yield seen
    events.unregister("provide-client-params.dynamodb.*", record)


class TestGrant:
    def test_gives_credits_once_per_key(self) -> None:
        """The second of two equal requests returns the first journal."""
        org_id = new_org()
        first = ledger.grant_at_sign_up(org_id)
        assert ledger.grant_at_sign_up(org_id) == first
        balance = ledger.balance(org_id)
        assert (balance.available, balance.held, balance.debt) == (100, 0, 0)
        assert [(grant.kind, grant.remaining) for grant in balance.grants] == [("signup", 100)]
        assert audits.audit(org_id) == []

    def test_refuses_a_key_reused_with_other_legs(self) -> None:
        """Case 45: an error, not a silent no-op, and nothing is written."""
        org_id = new_org(10)
        with pytest.raises(errors.KeyReused, match="first"):
            ledger.grant(org_id, credits=11, kind="pack", key="first", memo="Pack")
        with pytest.raises(errors.KeyReused):
            ledger.clawback(org_id, credits=10, kind="pack", key="first", memo="Refund")
        assert ledger.balance(org_id).available == 10
        assert audits.audit(org_id) == []

    def test_is_the_same_request_in_debt(self) -> None:
        """Repeated after its credits were clawed back, the key still names the first journal."""
        org_id = new_org(10)
        ledger.clawback(org_id, credits=15, kind="pack", key="refund", memo="Refund")
        again = ledger.grant(org_id, credits=10, kind="pack", key="first", memo="Pack")
        assert again.seq == 1
        assert ledger.balance(org_id).debt == 5

    def test_tells_the_news_in_the_same_transaction(self) -> None:
        """One event per grant, however often it was asked for."""
        org_id = new_org()
        journals = [ledger.grant_at_sign_up(org_id) for _ in range(2)]
        (event,) = news(org_id)
        assert event["type"] == "credits.granted"
        assert event["data"] == {
            "journal_id": journals[0].id,
            "kind": "signup",
            "credits": 100,
            "available": 100,
            "debt": 0,
            "memo": "Welcome credits",
        }
        assert EXAMPLES["credits.granted"] | {"journal_id": journals[0].id} == event["data"]

    def test_by_an_operator_needs_an_account(self) -> None:
        """A mistyped org id makes none."""
        with pytest.raises(errors.AccountNotFound):
            ledger.grant_by_operator(ids.new("org"), credits=5, reason="sorry", key="t1")
        org_id = new_org(1)
        ledger.grant_by_operator(org_id, credits=5, reason="sorry", key="t1")
        assert ledger.balance(org_id).available == 6

    def test_keeps_priority_and_expiry(self) -> None:
        """Grants are told in the order of spending."""
        org_id, soon = new_org(5), clock.now() + HOUR
        ledger.grant(org_id, credits=3, kind="plan", key="p", memo="Plan", expires_at=soon)
        ledger.grant(org_id, credits=4, kind="pack", key="q", memo="Pack", priority=1)
        found = [(grant.kind, grant.remaining, grant.expires_at) for grant in ledger.balance(org_id).grants]
        assert found == [("pack", 4, None), ("plan", 3, soon), ("pack", 5, None)]


class TestHold:
    def test_moves_credits_from_available_to_held(self) -> None:
        """A hold of 60 of 100."""
        org_id = new_org(100)
        hold(org_id, 60)
        balance = ledger.balance(org_id)
        assert (balance.available, balance.held) == (40, 60)
        assert audits.audit(org_id) == []

    def test_is_one_read_and_one_transaction(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        """Account, journal, hold."""
        org_id = new_org(100)
        calls.clear()
        hold(org_id, 60)
        assert [name for name, _ in calls] == ["GetItem", "TransactWriteItems"]
        assert len(calls[1][1]["TransactItems"]) == 3

    def test_explains_what_is_missing(self) -> None:
        """402 with required, available, shortfall and where to top up."""
        org_id = new_org(10)
        with pytest.raises(errors.InsufficientCredits) as refused:
            hold(org_id, 25)
        document = refused.value.document()
        assert (refused.value.status, document["code"]) == (402, "insufficient_credits")
        told = {name: document[name] for name in ("required", "available", "shortfall", "top_up")}
        assert told == {"required": 25, "available": 10, "shortfall": 15, "top_up": "/billing"}
        with pytest.raises(errors.InsufficientCredits):
            hold(new_org(), 1)

    def test_is_refused_in_debt(self) -> None:
        """402 with the debt, until a top-up has paid it."""
        org_id = new_org(10)
        ledger.clawback(org_id, credits=30, kind="pack", key="refund", memo="Refund")
        with pytest.raises(errors.AccountInDebt) as refused:
            hold(org_id, 1)
        assert (refused.value.status, refused.value.document()["debt"]) == (402, 20)
        ledger.grant(org_id, credits=21, kind="pack", key="second", memo="Pack")
        hold(org_id, 1)
        assert audits.audit(org_id) == []

    def test_twice_with_the_same_key_stands_once(self) -> None:
        """The second commit says so, whatever else its transaction holds."""
        org_id = new_org(10)
        hold(org_id, 4)
        with pytest.raises(errors.AlreadyPosted) as repeated:
            hold(org_id, 4)
        assert repeated.value.journal.hold_id == "h1"
        assert ledger.balance(org_id).held == 4
        assert audits.audit(org_id) == []

    def test_bugs_of_callers_are_loud(self) -> None:
        """The same key for another hold; the same hold under another key."""
        org_id = new_org(10)
        hold(org_id, 4)
        with pytest.raises(errors.KeyReused):
            hold(org_id, 4, "h2", key="hold:h1")
        with pytest.raises(errors.HoldExists):
            hold(org_id, 4, "h1", key="other")
        assert audits.audit(org_id) == []

    def test_of_free_work_writes_no_journal(self) -> None:
        """Also where there is no account yet; a hold it is all the same."""
        org_id = new_org()
        hold(org_id, 0)
        assert ledger.journals(org_id).items == []
        with pytest.raises(errors.HoldExists):
            hold(org_id, 0)
        assert settle(org_id, 0) == Settled(0, 0)
        with pytest.raises(errors.HoldEnded):
            settle(org_id, 0)
        assert audits.audit(org_id) == []

    def test_refuses_fractions(self) -> None:
        """Integers only."""
        with pytest.raises(TypeError):
            hold(new_org(5), 1.0)  # type: ignore[arg-type]


class TestSettle:
    def test_captures_a_part_and_returns_the_rest_once(self) -> None:
        """Case 81: capture 60 of 100; then capture, release, capture 101 are refused and tell how it ended."""
        org_id = new_org(100)
        hold(org_id, 100)
        assert settle(org_id, 60) == Settled(60, 40)
        for capture, key in ((60, "settle:h1"), (0, "release:h1"), (101, "other")):
            with pytest.raises(errors.HoldEnded) as ended:
                settle(org_id, capture, key=key)
            assert ended.value.settled == Settled(60, 40)
        balance = ledger.balance(org_id)
        assert (balance.available, balance.held) == (40, 0)
        assert audits.audit(org_id) == []

    def test_refuses_more_than_held(self) -> None:
        """And leaves the hold open."""
        org_id = new_org(100)
        hold(org_id, 10)
        with pytest.raises(ValueError, match="11 credits cannot be captured"):
            settle(org_id, 11)
        assert settle(org_id, 10) == Settled(10, 0)

    def test_refuses_an_unknown_hold(self) -> None:
        """404."""
        with pytest.raises(errors.HoldNotFound):
            settle(new_org(1), 0)

    def test_loses_to_a_rival_between_reading_and_writing(self) -> None:
        """The loser decides again and finds the hold ended; nothing moves twice."""
        org_id = new_org(100)
        hold(org_id, 10)
        slow = Transaction()
        ledger.settle(slow, org_id=org_id, hold_id="h1", capture=10, key="settle:h1", memo="")
        assert settle(org_id, 0, key="release:h1") == Settled(0, 10)
        with pytest.raises(tables.Stale):
            slow.commit()
        with pytest.raises(errors.HoldEnded):
            settle(org_id, 10)
        assert audits.audit(org_id) == []

    def test_expires_what_returns_to_an_expired_grant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At once, with its own legs."""
        org_id, now = new_org(), clock.now()
        ledger.grant(org_id, credits=10, kind="plan", key="p", memo="Plan", expires_at=now + HOUR)
        hold(org_id, 10)
        monkeypatch.setattr(clock, "now", lambda: now + 2 * HOUR)
        assert settle(org_id, 4) == Settled(4, 6)
        assert ledger.balance(org_id).available == 0
        legs = {leg.account: leg.amount for leg in ledger.journals(org_id).items[0].legs}
        assert legs == {f"org:{org_id}:held": -10, "house:revenue": 4, "house:expired": 6}
        assert audits.audit(org_id) == []


class TestExpireDue:
    def test_books_each_grant_once_and_tells(self) -> None:
        """Two of three expire; a hold keeps what it has."""
        org_id, now = new_org(10), clock.now()
        for name, hours in (("a", 1), ("b", 2), ("c", 30)):
            ledger.grant(org_id, credits=5, kind="plan", key=name, memo=name, expires_at=now + hours * HOUR)
        hold(org_id, 3)
        ledger.expire_due(now + 2 * HOUR)
        assert ledger.expire_due(now + 2 * HOUR) == 0
        balance = ledger.balance(org_id)
        assert (balance.available, balance.held) == (15, 3)
        told = [(event["type"], event["data"]["credits"]) for event in news(org_id)]
        assert [credits for type_, credits in told if type_ == "credits.expired"] == [2, 5]
        assert audits.audit(org_id) == []

    def test_is_not_held_up_by_a_broken_account(self) -> None:
        """The others are booked; the failures are raised together, each with its org."""
        now = clock.now()
        orgs = [new_org() for _ in range(3)]
        for org_id in orgs:
            ledger.grant(org_id, credits=5, kind="plan", key="p", memo="Plan", expires_at=now + HOUR)
        damage(orgs[1], "available", 6)
        with pytest.raises(ExceptionGroup) as failed:
            ledger.expire_due(now + HOUR)
        assert [error.__notes__ for error in failed.value.exceptions] == [[orgs[1]]]
        assert [audits.audit(org_id) for org_id in (orgs[0], orgs[2])] == [[], []]
        assert ledger.balance(orgs[2]).available == 0
        damage(orgs[1], "available", 5)
        assert ledger.expire_due(now + HOUR) == 1

    def test_is_seen_before_the_sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The balance leaves out what has expired, booked or not."""
        org_id, now = new_org(10), clock.now()
        ledger.grant(org_id, credits=5, kind="plan", key="p", memo="Plan", expires_at=now + HOUR)
        monkeypatch.setattr(clock, "now", lambda: now + HOUR)
        balance = ledger.balance(org_id)
        assert (balance.available, sum(grant.remaining for grant in balance.grants)) == (10, 10)


class TestDebt:
    def test_refund_after_spend(self) -> None:
        """Case 30 on real rows."""
        org_id = new_org(1000)
        hold(org_id, 950)
        settle(org_id, 950)
        clawback = ledger.clawback(org_id, credits=1000, kind="pack", key="refund:1", memo="Refund")
        assert ledger.clawback(org_id, credits=1000, kind="pack", key="refund:1", memo="Refund") == clawback
        assert (ledger.balance(org_id).available, ledger.balance(org_id).debt) == (0, 950)
        ledger.grant(org_id, credits=500, kind="pack", key="second", memo="Pack")
        assert (ledger.balance(org_id).available, ledger.balance(org_id).debt) == (0, 450)
        ledger.write_off(org_id, credits=450, key="goodwill", memo="Forgiven")
        assert ledger.balance(org_id).debt == 0
        assert audits.audit(org_id) == []


class TestJournals:
    def test_come_newest_first_in_pages(self) -> None:
        """Every journal once, in order, and no cursor after the last."""
        org_id = new_org(50)
        for number in range(4):
            hold(org_id, 1 + number, f"h{number}")
        seen, cursor, pages = [], None, 0
        while True:
            page = ledger.journals(org_id, cursor, 2)
            seen += [(item.kind.value, item.change_available, item.change_held) for item in page.items]
            cursor, pages = page.next_cursor, pages + 1
            if cursor is None:
                break
        assert seen == [*(("hold", -n, n) for n in (4, 3, 2, 1)), ("grant", 50, 0)]
        assert pages == 3

    def test_of_a_full_last_page_end_there(self) -> None:
        """No cursor to an empty page."""
        org_id = new_org(50)
        hold(org_id, 1)
        assert ledger.journals(org_id, None, 2).next_cursor is None

    @pytest.mark.parametrize("text", ["seq#", "seq#-1", "seq#1e5", "key#first", "seq#" + "9" * 40, "seq#²"])
    def test_refuse_cursors_that_are_not_theirs(self, text: str) -> None:
        """400."""
        with pytest.raises(InvalidCursor):
            ledger.journals("org_x", encode_cursor(text))

    def test_are_only_ever_put_and_never_over_another(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        """Every write to the ledger in a life of operations is a Put where nothing lies."""
        org_id, now = new_org(10), clock.now()
        ledger.grant(org_id, credits=5, kind="plan", key="p", memo="Plan", expires_at=now + HOUR)
        hold(org_id, 7)
        settle(org_id, 3)
        ledger.expire_due(now + HOUR)
        ledger.clawback(org_id, credits=20, kind="pack", key="c", memo="Refund")
        ledger.write_off(org_id, credits=1, key="w", memo="Forgiven")
        audits.audit(org_id)
        assert {name for name, _ in calls} <= {"GetItem", "Query", "TransactWriteItems"}
        parts = [part for name, params in calls if name == "TransactWriteItems" for part in params["TransactItems"]]
        puts = [
            (operation, arguments["ConditionExpression"])
            for part in parts
            for operation, arguments in part.items()
            if arguments["TableName"] == "snapforge-dev-ledger" and org_id in arguments["Item"]["pk"]["S"]
        ]
        assert len(puts) == len(ledger.journals(org_id).items) == 7
        assert set(puts) == {("Put", "attribute_not_exists (#0)")}


class TestAudit:
    @pytest.mark.parametrize(
        ("attribute", "value", "fault"),
        [("held", 5, "open holds come to 4"), ("available", 5, "differs from the grants")],
    )
    def test_finds_a_changed_row(self, attribute: str, value: int, fault: str) -> None:
        """Somebody edits a balance by hand."""
        org_id = new_org(10)
        hold(org_id, 4)
        damage(org_id, attribute, value)
        assert any(fault in found for found in audits.audit(org_id))

    def test_is_not_fooled_by_a_deed_while_it_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A journal that arrives between reading the account and the journals makes it read again."""
        org_id, read = new_org(10), store.holds

        def late(org: str) -> Any:
            monkeypatch.setattr(store, "holds", read)
            found = list(read(org))
            hold(org, 4)
            return iter(found)

        monkeypatch.setattr(store, "holds", late)
        assert audits.audit(org_id) == []
        assert ledger.balance(org_id).held == 4

    def test_finds_a_lost_journal(self) -> None:
        """Somebody deletes one by hand."""
        org_id = new_org(10)
        hold(org_id, 4)
        key = {"pk": {"S": f"org#{org_id}"}, "sk": {"S": "key#first"}}
        boto3.client("dynamodb").delete_item(TableName="snapforge-dev-ledger", Key=key)
        assert "journals are numbered [2], the account counts 2" in audits.audit(org_id)


def damage(org_id: str, attribute: str, value: int) -> None:
    """Set a number of the account row behind billing's back."""
    boto3.client("dynamodb").update_item(
        TableName="snapforge-dev-billing",
        Key={"pk": {"S": f"org#{org_id}"}, "sk": {"S": "account"}},
        UpdateExpression="SET #a = :v",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":v": {"N": str(value)}},
    )
