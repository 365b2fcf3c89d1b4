"""The audit finds every fault that can be stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from snapforge.billing import domain
from snapforge.billing.domain import (
    Account,
    Grant,
    GrantKind,
    Hold,
    HoldState,
    Journal,
    JournalDraft,
    JournalKind,
    Leg,
    audit,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@dataclass
class Book:
    """What is stored of one org."""

    account: Account
    holds: list[Hold]
    journals: list[Journal]

    def faults(self) -> list[str]:
        return audit.faults(self.account, self.holds, self.journals)


def draft(key: str) -> JournalDraft:
    return JournalDraft(f"jrn_{key}", key, key, NOW)


@pytest.fixture
def book() -> Book:
    """Two grants, a hold that captured 4 of 6, an open one of 5, a free one."""
    account, journals, holds = Account("o"), [], []
    for name, priority in (("g1", 1), ("g2", 2)):
        posting = domain.grant(account, draft(name), Grant(name, GrantKind.pack, priority, None, 10))
        account = posting.account
        journals.append(posting.journal)
    for hold_id, credits in (("h1", 6), ("h2", 5), ("h0", 0)):
        change = domain.hold(account, draft(f"hold:{hold_id}"), hold_id=hold_id, credits=credits)
        holds.append(change.hold)
        if change.posting is not None:
            account = change.posting.account
            journals.append(change.posting.journal)
    change = domain.settle(account, holds[0], draft("settle:h1"), capture=4)
    assert change.posting is not None
    holds[0] = change.hold
    return Book(change.posting.account, holds, [*journals, change.posting.journal])


def drop_last(book: Book) -> None:
    book.journals.pop()


def count_twice(book: Book) -> None:
    book.journals.append(replace(book.journals[0], seq=6))


def more_available(book: Book) -> None:
    book.account = replace(
        book.account,
        available=book.account.available + 1,
        grants=(one_more(book.account.grants[0]), *book.account.grants[1:]),
    )


def one_more(grant: Grant) -> Grant:
    return replace(grant, remaining=grant.remaining + 1)


def more_held(book: Book) -> None:
    book.account = replace(book.account, held=book.account.held + 1)


def owing(book: Book) -> None:
    book.account = replace(book.account, debt=1)


def below_zero(book: Book) -> None:
    book.journals[0], book.journals[3] = replace(book.journals[0], seq=4), replace(book.journals[3], seq=1)


def other_org(book: Book) -> None:
    book.journals[0] = replace(book.journals[0], legs=(Leg("org:p:available", 10), Leg("house:granted:pack", -10)))


def hold_gone(book: Book) -> None:
    book.holds.pop(0)


def hold_reopened(book: Book) -> None:
    book.holds[0] = replace(book.holds[0], state=HoldState.open, captured=0, released=0)


def captured_more(book: Book) -> None:
    book.holds[0] = replace(book.holds[0], captured=5, released=1)


def ended_unpaid(book: Book) -> None:
    book.holds[1] = replace(book.holds[1], state=HoldState.released, released=5)


def other_amount(book: Book) -> None:
    book.journals[2] = replace(book.journals[2], legs=(Leg("org:o:available", -7), Leg("org:o:held", 7)))


def unsorted(book: Book) -> None:
    book.account = replace(book.account, grants=book.account.grants[::-1])


def grant_twice(book: Book) -> None:
    first, second = book.account.grants
    book.account = replace(book.account, grants=(first, replace(second, id=first.id)))


@pytest.mark.part("BIL-1")
class TestAudit:
    def test_of_an_exact_ledger_finds_nothing(self, book: Book) -> None:
        """Also of an org without anything."""
        assert book.faults() == []
        assert audit.faults(Account("o"), [], []) == []

    @pytest.mark.parametrize(
        ("damage", "found"),
        [
            (drop_last, "journals are numbered [1, 2, 3, 4], the account counts 5"),
            (count_twice, "more than one journal has the key g1"),
            (count_twice, "more than one journal has the id jrn_g1"),
            (more_available, "org:o:available: the journals come to 11, the account says 12"),
            (more_held, "org:o:held: the journals come to 5, the account says 6"),
            (more_held, "open holds come to 5, the account holds 6"),
            (owing, "org:o:debt: the journals come to 0, the account says 1"),
            (below_zero, "org:o:available is below zero after journal hold:h2"),
            (other_org, "journal g1 reaches beyond o: ['org:p:available']"),
            (hold_gone, "journals name the hold h1, which is not there"),
            (hold_reopened, "hold h1 (open) has 1 begins and 1 ends"),
            (captured_more, "journal settle:h1 earns another amount than hold h1 captured"),
            (ended_unpaid, "hold h2 (released) has 1 begins and 0 ends"),
            (other_amount, "journal hold:h1 moves another amount than hold h1"),
            (unsorted, "the grants are not in the order of spending"),
            (grant_twice, "grant g1 stands 2 times"),
        ],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_finds(self, book: Book, damage: Callable[[Book], None], found: str) -> None:
        """Each damage is told in a sentence."""
        damage(book)
        assert found in book.faults()

    def test_tells_journals_of_another_org(self, book: Book) -> None:
        """A journal that lies in the wrong partition."""
        book.journals[0] = replace(book.journals[0], org_id="p", kind=JournalKind.grant)
        assert "journal g1 reaches beyond o: []" in book.faults()
