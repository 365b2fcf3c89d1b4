"""The ledger's rules by example: the hard cases, and every refusal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from snapforge.billing import domain
from snapforge.billing.domain import (
    Account,
    BrokenLedger,
    Grant,
    GrantKind,
    Hold,
    HoldState,
    Journal,
    JournalDraft,
    JournalKind,
    Leg,
    Posting,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.part("BIL-1")


def draft(key: str, at: datetime = NOW) -> JournalDraft:
    return JournalDraft(id=f"jrn_{key}", key=key, memo=key, at=at)


def some(
    credits: int, name: str = "g1", kind: str = "pack", priority: int = 40, expires_at: datetime | None = None
) -> Grant:
    return Grant(name, GrantKind(kind), priority, expires_at, credits)


def having(*grants: Grant) -> Account:
    account = Account("o")
    for number, given in enumerate(grants):
        account = domain.grant(account, draft(f"grant{number}"), given).account
    return account


def held(account: Account, credits: int, hold_id: str = "h1", at: datetime = NOW) -> tuple[Account, Hold]:
    change = domain.hold(account, draft(f"hold:{hold_id}", at), hold_id=hold_id, credits=credits)
    assert change.posting is not None
    return change.posting.account, change.hold


def settled(account: Account, hold: Hold, capture: int, at: datetime = NOW) -> tuple[Posting, Hold]:
    change = domain.settle(account, hold, draft(f"settle:{hold.id}", at), capture=capture)
    assert change.posting is not None
    return change.posting, change.hold


def legs(journal: Journal) -> dict[str, int]:
    return {leg.account: leg.amount for leg in journal.legs}


def left(account: Account) -> dict[str, int]:
    return {grant.id: grant.remaining for grant in account.grants}


class TestGrant:
    def test_gives_credits_from_the_house(self) -> None:
        """The house account of the kind goes down by what the customer gets."""
        posting = domain.grant(Account("o"), draft("k"), some(100, kind="signup"))
        assert legs(posting.journal) == {"house:granted:signup": -100, "org:o:available": 100}
        assert (posting.account.available, posting.account.version, posting.journal.seq) == (100, 1, 1)
        assert posting.journal.grant_id == "g1"

    @pytest.mark.parametrize("amount", [True, 1.0, "1", None])
    def test_refuses_what_is_no_integer(self, amount: object) -> None:
        """Integers only."""
        with pytest.raises(TypeError, match="integers"):
            domain.grant(Account("o"), draft("k"), replace(some(1), remaining=amount))  # type: ignore[arg-type]

    @pytest.mark.parametrize("amount", [0, -1])
    def test_refuses_nothing_and_less(self, amount: int) -> None:
        """A grant is at least 1 credit."""
        with pytest.raises(ValueError, match="at least 1"):
            domain.grant(Account("o"), draft("k"), some(amount))

    def test_refuses_what_has_expired(self) -> None:
        """The moment of expiry is outside the grant (half-open)."""
        with pytest.raises(ValueError, match="before it is given"):
            domain.grant(Account("o"), draft("k"), some(1, expires_at=NOW))


class TestHold:
    def test_spends_by_priority_then_expiry_then_age(self) -> None:
        """Plan before pack; of equals what expires first, what never does last; then the older."""
        account = having(
            some(1, "e", priority=2),
            some(1, "d", priority=2, expires_at=NOW + 2 * HOUR),
            some(1, "c", priority=2, expires_at=NOW + HOUR),
            some(1, "b", priority=1),
            some(1, "a", priority=1),
        )
        _, hold = held(account, 4)
        assert [part.id for part in hold.allocations] == ["a", "b", "c", "d"]

    def test_reserves_across_grants(self) -> None:
        """60 from 50 + 50: the second is split."""
        account, hold = held(having(some(50, "a"), some(50, "b")), 60)
        assert left(account) == {"b": 40}
        assert (account.available, account.held) == (40, 60)
        assert [(part.id, part.remaining) for part in hold.allocations] == [("a", 50), ("b", 10)]

    def test_of_two_of_sixty_on_a_hundred_one_is_refused(self) -> None:
        """Case 79, one after the other; tests of the service race them."""
        account, _ = held(having(some(100)), 60)
        with pytest.raises(domain.NotEnough) as refused:
            domain.hold(account, draft("hold:h2"), hold_id="h2", credits=60)
        assert (refused.value.required, refused.value.available) == (60, 40)

    def test_does_not_spend_the_expired(self) -> None:
        """Whether the sweep has been there or not."""
        account = having(some(5, "a", expires_at=NOW + HOUR), some(5, "b"))
        with pytest.raises(domain.NotEnough) as refused:
            held(account, 6, at=NOW + HOUR)
        assert refused.value.available == 5
        after, hold = held(account, 5, at=NOW + HOUR)
        assert [part.id for part in hold.allocations] == ["b"]
        assert left(after) == {"a": 5}

    def test_of_free_work_moves_nothing(self) -> None:
        """0 credits: a hold that begins and ends without a journal."""
        change = domain.hold(Account("o"), draft("k"), hold_id="h", credits=0)
        assert change.posting is None
        ended = domain.settle(Account("o"), change.hold, draft("s"), capture=0)
        assert ended.posting is None
        assert ended.hold.state is HoldState.released

    def test_is_refused_in_debt(self) -> None:
        """Free work, too: who owes starts nothing."""
        account = domain.clawback(Account("o"), draft("c"), credits=3, kind=GrantKind.pack).account
        for credits in (0, 1):
            with pytest.raises(domain.InDebt) as refused:
                domain.hold(account, draft("k"), hold_id="h", credits=credits)
            assert refused.value.debt == 3


class TestSettle:
    def test_capture_sixty_of_a_hundred_once(self) -> None:
        """Case 81: 60 captured, 40 back; capturing or releasing again is refused and tells how it ended."""
        account, hold = held(having(some(100)), 100)
        posting, ended = settled(account, hold, 60)
        assert legs(posting.journal) == {"org:o:held": -100, "house:revenue": 60, "org:o:available": 40}
        assert (posting.account.available, posting.account.held) == (40, 0)
        assert (ended.state, ended.captured, ended.released) == (HoldState.captured, 60, 40)
        for capture in (60, 0, 101):
            with pytest.raises(domain.Ended) as refused:
                settled(posting.account, ended, capture)
            assert refused.value.settled == domain.Settled(60, 40)

    def test_more_than_held_is_refused(self) -> None:
        """Case 81: capture 101 of 100."""
        account, hold = held(having(some(100)), 100)
        with pytest.raises(ValueError, match="101 credits cannot be captured from a hold of 100"):
            settled(account, hold, 101)

    def test_returns_the_rest_to_the_very_grants(self) -> None:
        """What is spent first is captured first; the later grants get theirs back, re-opened where they were empty."""
        account, hold = held(having(some(3, "a", priority=1), some(3, "b", priority=2), some(3, "c", priority=3)), 8)
        posting, _ = settled(account, hold, 4)
        assert left(posting.account) == {"b": 2, "c": 3}
        assert [g.priority for g in posting.account.grants] == [2, 3]

    def test_returned_credits_of_an_expired_grant_expire_at_once(self) -> None:
        """With legs of their own; the living part returns."""
        account, hold = held(having(some(3, "a", expires_at=NOW + HOUR), some(3, "b")), 6)
        posting, ended = settled(account, hold, 1, at=NOW + HOUR)
        assert legs(posting.journal) == {"org:o:held": -6, "house:revenue": 1, "org:o:available": 3, "house:expired": 2}
        assert left(posting.account) == {"b": 3}
        assert ended.settled == domain.Settled(1, 5)

    def test_returned_credits_pay_a_debt(self) -> None:
        """A clawback while credits are held makes a debt; what comes back pays it first."""
        account, hold = held(having(some(10)), 10)
        account = domain.clawback(account, draft("c"), credits=4, kind=GrantKind.pack).account
        assert (account.debt, account.held) == (4, 10)
        posting, _ = settled(account, hold, 0)
        assert (posting.account.debt, posting.account.available, posting.account.held) == (0, 6, 0)
        assert legs(posting.journal) == {"org:o:held": -10, "org:o:available": 6, "org:o:debt": 4}


class TestExpire:
    def test_takes_what_remains_and_no_hold(self) -> None:
        """Expiry never touches holds."""
        account, hold = held(having(some(10, expires_at=NOW + HOUR)), 4)
        gone = account.due(NOW + HOUR)
        assert gone is not None
        posting = domain.expire(account, draft("e", NOW + HOUR), gone)
        assert legs(posting.journal) == {"org:o:available": -6, "house:expired": 6}
        assert (posting.account.available, posting.account.held, posting.account.grants) == (0, 4, ())
        after, _ = settled(posting.account, hold, 4, at=NOW + HOUR)
        assert after.account.held == 0

    def test_not_before_its_time(self) -> None:
        """A microsecond early is early."""
        account = having(some(10, expires_at=NOW + HOUR))
        early = NOW + HOUR - timedelta(microseconds=1)
        assert account.due(early) is None
        assert account.due_at == NOW + HOUR
        with pytest.raises(ValueError, match="not yet"):
            domain.expire(account, draft("e", early), account.grants[0])

    def test_is_never_due_without_an_expiry(self) -> None:
        """No date, no index entry."""
        assert having(some(1)).due_at is None


class TestDebt:
    def test_refund_after_spend(self) -> None:
        """Case 30: 950 of 1000 spent, full refund: 50 from available, 950 debt, blocked, the next top-up pays first."""
        account, hold = held(having(some(1000)), 950)
        posting, _ = settled(account, hold, 950)
        clawback = domain.clawback(posting.account, draft("refund"), credits=1000, kind=GrantKind.pack, grant_id="g1")
        assert legs(clawback.journal) == {"house:granted:pack": 1000, "org:o:available": -50, "org:o:debt": -950}
        assert (clawback.account.available, clawback.account.debt) == (0, 950)
        with pytest.raises(domain.InDebt):
            held(clawback.account, 1, "h2")
        top_up = domain.grant(clawback.account, draft("top-up"), some(1000, "g2"))
        assert legs(top_up.journal) == {"house:granted:pack": -1000, "org:o:available": 50, "org:o:debt": 950}
        assert (top_up.account.available, top_up.account.debt) == (50, 0)
        assert left(top_up.account) == {"g2": 50}

    def test_a_small_top_up_pays_a_part(self) -> None:
        """Nothing becomes available while something is owed."""
        account = domain.clawback(Account("o"), draft("c"), credits=10, kind=GrantKind.pack).account
        account = domain.grant(account, draft("g"), some(4)).account
        assert (account.available, account.debt, account.grants) == (0, 6, ())

    def test_a_claw_touches_its_own_grant_first(self) -> None:
        """Then the others, in the order of spending."""
        account = having(some(5, "a"), some(5, "b"), some(5, "c"))
        account = domain.clawback(account, draft("c"), credits=7, kind=GrantKind.pack, grant_id="b").account
        assert left(account) == {"a": 3, "c": 5}

    def test_can_be_forgiven(self) -> None:
        """Up to what is owed, from the house's write-offs."""
        account = domain.clawback(Account("o"), draft("c"), credits=10, kind=GrantKind.pack).account
        with pytest.raises(ValueError, match="11 credits cannot be forgiven"):
            domain.write_off(account, draft("w"), credits=11)
        posting = domain.write_off(account, draft("w"), credits=10)
        assert legs(posting.journal) == {"org:o:debt": 10, "house:writeoff": -10}
        assert posting.account.debt == 0


class TestFingerprint:
    def test_of_a_repeated_request_is_the_same_in_another_state(self) -> None:
        """Repeated while in debt, a grant would be booked otherwise; it is still the same request."""
        first = domain.grant(Account("o"), draft("k"), some(10))
        indebted = domain.clawback(first.account, draft("c"), credits=15, kind=GrantKind.pack).account
        again = domain.grant(indebted, draft("k"), some(10, "g2"))
        assert again.journal.legs != first.journal.legs
        assert again.journal.fingerprint == first.journal.fingerprint

    def test_of_another_request_differs(self) -> None:
        """Case 45: other amount, other kind, other hold, other grant."""
        account = having(some(10))
        told = [domain.grant(account, draft("k"), some(n, kind=kind)).journal for n, kind in ((1, "pack"), (2, "pack"))]
        told.append(domain.grant(account, draft("k"), some(1, kind="admin")).journal)
        for hold_id in ("h1", "h2"):
            posting = domain.hold(account, draft("k"), hold_id=hold_id, credits=1).posting
            assert posting is not None
            told.append(posting.journal)
        for grant_id in (None, "g1"):
            clawback = domain.clawback(account, draft("k"), credits=1, kind=GrantKind.pack, grant_id=grant_id)
            told.append(clawback.journal)
        assert len({journal.fingerprint for journal in told}) == len(told)


class TestValues:
    """Values that contradict themselves do not come to be, so no wrong rule can write them."""

    @pytest.mark.parametrize("amounts", [(), (0,), (1,), (1, -2), (1, 0, -1), (1.0, -1.0), (True, -1)], ids=str)
    def test_a_journal_balances(self, amounts: tuple[int, ...]) -> None:
        """Legs of integers, none 0, sum 0, at least two."""
        with pytest.raises(BrokenLedger, match="do not balance"):
            journal(*(Leg(f"a{number}", amount) for number, amount in enumerate(amounts)))

    def test_a_journal_has_one_leg_per_account(self) -> None:
        """Two legs on one account would hide what moved."""
        with pytest.raises(BrokenLedger, match="two legs"):
            journal(Leg("a", 2), Leg("a", -1), Leg("b", -1))

    @pytest.mark.parametrize("balances", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
    def test_no_balance_is_below_zero(self, balances: tuple[int, int, int]) -> None:
        """Available, held, debt."""
        with pytest.raises(BrokenLedger, match="below 0"):
            Account("o", *balances)

    def test_available_is_what_the_grants_have(self) -> None:
        """Neither more nor less, and no empty grant."""
        with pytest.raises(BrokenLedger, match="differs from the grants"):
            Account("o", 2, 0, 0, (some(1),))
        with pytest.raises(BrokenLedger, match="empty grant"):
            Account("o", 1, 0, 0, (some(1), some(0, "g2")))

    def test_a_hold_adds_up(self) -> None:
        """Its allocations make its amount; what it captured and released, too, once it has ended."""
        with pytest.raises(BrokenLedger, match="allocations"):
            Hold("h", "o", 2, (some(1),))
        with pytest.raises(BrokenLedger, match="of 1"):
            Hold("h", "o", 1, (some(1),), HoldState.captured, captured=1, released=1)
        with pytest.raises(BrokenLedger, match="open"):
            Hold("h", "o", 1, (some(1),), HoldState.open, captured=1)


def journal(*legs: Leg) -> Journal:
    return Journal("j", "o", "k", 1, JournalKind.grant, NOW, "", legs, "f")
