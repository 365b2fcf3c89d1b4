"""The ledger's rules, decided with plain values.

Signs: a leg adds `amount` to its account. `org:<id>:avail` and `org:<id>:held` are what the customer has;
`org:<id>:debt` is what the customer lacks, so it runs below zero and `Account.debt` is its negative. House accounts are
the other side; nobody stores their balances, they are folds of journals.

An expired grant is dead from its moment on: nothing spends it, whether or not the sweep has booked its expiry yet. So
the outcome of a deed never depends on when the sweep ran.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from snapforge.kit import clock

SIGNUP_CREDITS = 100


class GrantKind(StrEnum):
    """Where credits came from."""

    plan = "plan"
    signup = "signup"
    admin = "admin"
    pack = "pack"


PRIORITIES = {GrantKind.plan: 10, GrantKind.signup: 20, GrantKind.admin: 30, GrantKind.pack: 40}
"""Lower is spent first: what is lost soonest goes first, what was paid for goes last."""


class JournalKind(StrEnum):
    """What a journal did."""

    grant = "grant"
    hold = "hold"
    settle = "settle"
    expire = "expire"
    claw = "claw"
    write_off = "write_off"


class HoldState(StrEnum):
    """A hold is open once and ends once: `captured` when anything was taken, else `released`."""

    open = "open"
    captured = "captured"
    released = "released"


class BrokenLedger(Exception):
    """The values contradict each other. Nothing may be written from here on."""


class NotEnough(Exception):
    """Fewer credits can be spent than are asked for."""

    def __init__(self, required: int, available: int) -> None:
        super().__init__(f"{required} credits asked, {available} available")
        self.required = required
        self.available = available


class InDebt(Exception):
    """A customer in debt holds nothing new."""

    def __init__(self, debt: int) -> None:
        super().__init__(f"{debt} credits of debt")
        self.debt = debt


class Ended(Exception):
    """The hold has ended before."""

    def __init__(self, settled: "Settled") -> None:
        super().__init__(f"ended: {settled.captured} captured, {settled.released} released")
        self.settled = settled


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits of one origin. In a hold's allocations, `remaining` is the part reserved from that grant."""

    id: str
    kind: GrantKind
    priority: int
    expires_at: datetime | None
    remaining: int

    def expired(self, now: datetime) -> bool:
        """Whether nothing of it can be spent at `now`; its last moment is just before `expires_at`."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Leg:
    """`amount` credits, never 0, added to `account`."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Journal:
    """One entry: legs that sum to 0, at most one per account. `seq` counts an org's journals from 1 without gaps.

    `fingerprint` is the SHA-256 of the legs as they were asked for. The legs booked can be more: a grant to a customer
    in debt pays the debt, so the same request, repeated later, would be booked otherwise and is still the same request.
    """

    id: str
    org_id: str
    key: str
    seq: int
    kind: JournalKind
    at: datetime
    memo: str
    legs: tuple[Leg, ...]
    fingerprint: str
    hold_id: str | None = None
    grant_id: str | None = None

    def __post_init__(self) -> None:
        amounts = [leg.amount for leg in self.legs]
        if not amounts or sum(amounts) != 0 or 0 in amounts or any(type(amount) is not int for amount in amounts):
            raise BrokenLedger(f"journal {self.key}: legs {self.legs} do not balance")
        if len({leg.account for leg in self.legs}) != len(self.legs):
            raise BrokenLedger(f"journal {self.key}: two legs on one account")

    def change(self, account: str) -> int:
        """What the journal added to `account`."""
        return sum(leg.amount for leg in self.legs if leg.account == account)


@dataclass(frozen=True, slots=True)
class Account:
    """What an org has. `grants` are those with something remaining, in the order of spending; `version` is the `seq`
    of the last journal."""

    org_id: str
    avail: int = 0
    held: int = 0
    debt: int = 0
    grants: tuple[Grant, ...] = ()
    version: int = 0

    def __post_init__(self) -> None:
        if min(self.avail, self.held, self.debt) < 0:
            raise BrokenLedger(f"{self.org_id}: a balance below 0: {self}")
        if self.avail != sum(grant.remaining for grant in self.grants):
            raise BrokenLedger(f"{self.org_id}: available differs from the grants: {self}")
        if any(grant.remaining <= 0 for grant in self.grants):
            raise BrokenLedger(f"{self.org_id}: an empty grant: {self}")

    def spendable(self, now: datetime) -> int:
        """Credits that a hold could reserve at `now`: `avail` without what has expired."""
        return sum(grant.remaining for grant in self.grants if not grant.expired(now))

    def due(self, now: datetime) -> Grant | None:
        """A grant whose expiry is to be booked at `now`."""
        return next((grant for grant in self.grants if grant.expired(now)), None)

    @property
    def due_at(self) -> datetime | None:
        """The next moment at which something expires."""
        return min((grant.expires_at for grant in self.grants if grant.expires_at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Settled:
    """How a hold ended: the two sum to its amount. `released` counts what expired on its way back, too."""

    captured: int
    released: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits reserved for one piece of work, with the grants they came from, in the order of spending."""

    id: str
    org_id: str
    amount: int
    allocations: tuple[Grant, ...]
    state: HoldState = HoldState.open
    captured: int = 0
    released: int = 0

    def __post_init__(self) -> None:
        if self.amount != sum(part.remaining for part in self.allocations):
            raise BrokenLedger(f"hold {self.id}: allocations differ from {self.amount}")
        if self.captured + self.released != (0 if self.state is HoldState.open else self.amount):
            raise BrokenLedger(f"hold {self.id}: {self.captured} + {self.released} of {self.amount}, {self.state}")

    @property
    def settled(self) -> Settled:
        return Settled(self.captured, self.released)


@dataclass(frozen=True, slots=True)
class Deed:
    """The particulars of a journal to be: its id, its key (one key, one journal), the line a customer reads, its
    moment."""

    id: str
    key: str
    memo: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """A journal and the account after it: written together or not at all."""

    account: Account
    journal: Journal


@dataclass(frozen=True, slots=True)
class HoldChange:
    """A hold as it becomes. No posting means that no credit moves, and then the account stays as it is."""

    hold: Hold
    posting: Posting | None


def avail(org_id: str) -> str:
    """The ledger account of what an org can spend."""
    return f"org:{org_id}:avail"


def held(org_id: str) -> str:
    """The ledger account of what an org's open holds reserve."""
    return f"org:{org_id}:held"


def debt(org_id: str) -> str:
    """The ledger account of what an org owes; below zero while it owes."""
    return f"org:{org_id}:debt"


REVENUE = "house:revenue"
EXPIRED = "house:expired"
WRITE_OFF = "house:writeoff"


def granted(kind: GrantKind) -> str:
    """The house account that credits of a kind come from, and go back to when they are clawed back."""
    return f"house:granted:{kind}"


def whole(number: int, least: int) -> int:
    """The number itself. TypeError for anything but an int (bool is none); ValueError below `least`."""
    if type(number) is not int:
        raise TypeError(f"credits are integers, not {number!r}")
    if number < least:
        raise ValueError(f"credits must be at least {least}, not {number}")
    return number


def fingerprint(kind: JournalKind, about: str, asked: Iterable[Leg]) -> str:
    """The SHA-256 (hex) by which a repeated key is told from a reused one. `about` is the hold, where there is one:
    two holds of equal size are not the same request."""
    told = [kind, about, sorted((leg.account, leg.amount) for leg in asked)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def grant(account: Account, deed: Deed, given: Grant) -> Posting:
    """Give credits; a debt is paid first, the rest can be spent. ValueError when it has expired already."""
    credits_ = whole(given.remaining, 1)
    if given.expired(deed.at):
        raise ValueError(f"the grant expires at {given.expires_at}, before it is given")
    asked = [Leg(granted(given.kind), -credits_), Leg(avail(account.org_id), credits_)]
    grants, pays = _debt_paid(account, _with(account.grants, (given,)), deed.at)
    return _posted(account, deed, JournalKind.grant, asked, pays, grants, grant_id=given.id)


def hold(account: Account, deed: Deed, *, hold_id: str, credits: int) -> HoldChange:
    """Reserve credits. Free work (0 credits) is a hold that moves nothing. Raises InDebt, NotEnough."""
    whole(credits, 0)
    if account.debt:
        raise InDebt(account.debt)
    taken, left = _taken(account.grants, credits, deed.at)
    if _total(taken) < credits:
        raise NotEnough(credits, account.spendable(deed.at))
    made = Hold(id=hold_id, org_id=account.org_id, amount=credits, allocations=taken)
    if not credits:
        return HoldChange(made, None)
    asked = [Leg(avail(account.org_id), -credits), Leg(held(account.org_id), credits)]
    return HoldChange(made, _posted(account, deed, JournalKind.hold, asked, [], left, hold_id=hold_id))


def settle(account: Account, open_hold: Hold, deed: Deed, *, capture: int) -> HoldChange:
    """End a hold: `capture` of it is earned, the rest returns to the very grants it came from.

    What returns to a grant that has expired meanwhile expires at once; what returns to a customer in debt pays that
    first. Raises Ended for a hold that ended before, ValueError for a capture beyond the hold.
    """
    if open_hold.state is not HoldState.open:
        raise Ended(open_hold.settled)
    if whole(capture, 0) > open_hold.amount:
        raise ValueError(f"{capture} credits cannot be captured from a hold of {open_hold.amount}")
    rest = open_hold.amount - capture
    ended = replace(
        open_hold, state=HoldState.captured if capture else HoldState.released, captured=capture, released=rest
    )
    if not open_hold.amount:
        return HoldChange(ended, None)
    org_id = account.org_id
    asked = [Leg(held(org_id), -open_hold.amount), Leg(REVENUE, capture), Leg(avail(org_id), rest)]
    _, returned = _split(open_hold.allocations, capture)
    lost = _total(part for part in returned if part.expired(deed.at))
    alive = tuple(part for part in returned if not part.expired(deed.at))
    grants, pays = _debt_paid(account, _with(account.grants, alive), deed.at)
    also = [Leg(avail(org_id), -lost), Leg(EXPIRED, lost), *pays]
    return HoldChange(ended, _posted(account, deed, JournalKind.settle, asked, also, grants, hold_id=open_hold.id))


def expire(account: Account, deed: Deed, gone: Grant) -> Posting:
    """Book the expiry of what remains in one grant of the account; holds keep what they reserved from it.
    ValueError before its time."""
    if not gone.expired(deed.at):
        raise ValueError(f"grant {gone.id} expires at {gone.expires_at}, not yet at {deed.at}")
    asked = [Leg(avail(account.org_id), -gone.remaining), Leg(EXPIRED, gone.remaining)]
    left = tuple(grant for grant in account.grants if grant.id != gone.id)
    return _posted(account, deed, JournalKind.expire, asked, [], left, grant_id=gone.id)


def claw(account: Account, deed: Deed, *, credits: int, kind: GrantKind, grant_id: str | None = None) -> Posting:
    """Take credits back (refund, dispute): from their own grant first, then from the others; what has been spent, or is
    held, becomes debt. Open holds are not touched."""
    whole(credits, 1)
    asked = [Leg(granted(kind), credits), Leg(avail(account.org_id), -credits)]
    taken, left = _taken(account.grants, credits, deed.at, first=grant_id)
    lacking = credits - _total(taken)
    also = [Leg(avail(account.org_id), lacking), Leg(debt(account.org_id), -lacking)]
    return _posted(account, deed, JournalKind.claw, asked, also, left, grant_id=grant_id)


def write_off(account: Account, deed: Deed, *, credits: int) -> Posting:
    """Forgive part or all of a debt. ValueError beyond it."""
    if whole(credits, 1) > account.debt:
        raise ValueError(f"{credits} credits cannot be forgiven of a debt of {account.debt}")
    asked = [Leg(debt(account.org_id), credits), Leg(WRITE_OFF, -credits)]
    return _posted(account, deed, JournalKind.write_off, asked, [], account.grants)


def _posted(
    account: Account,
    deed: Deed,
    kind: JournalKind,
    asked: list[Leg],
    also: list[Leg],
    grants: tuple[Grant, ...],
    *,
    hold_id: str | None = None,
    grant_id: str | None = None,
) -> Posting:
    """The journal of the netted legs, and the account after it. Balances move by the legs alone, grants by the caller's
    reckoning: Account refuses when the two disagree, so a wrong rule cannot be written."""
    journal = Journal(
        id=deed.id,
        org_id=account.org_id,
        key=deed.key,
        seq=account.version + 1,
        kind=kind,
        at=deed.at,
        memo=deed.memo,
        legs=_netted([*asked, *also]),
        fingerprint=fingerprint(kind, hold_id or "", asked),
        hold_id=hold_id,
        grant_id=grant_id,
    )
    org_id = account.org_id
    moved = Account(
        org_id=org_id,
        avail=account.avail + journal.change(avail(org_id)),
        held=account.held + journal.change(held(org_id)),
        debt=account.debt - journal.change(debt(org_id)),
        grants=grants,
        version=journal.seq,
    )
    return Posting(moved, journal)


def _netted(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """One leg per account, none of 0, in the order of first mention."""
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount
    return tuple(Leg(account, amount) for account, amount in sums.items() if amount)


def _debt_paid(account: Account, grants: tuple[Grant, ...], now: datetime) -> tuple[tuple[Grant, ...], list[Leg]]:
    """The grants after paying as much of the account's debt as they can, and the legs of that."""
    taken, left = _taken(grants, account.debt, now)
    paid = _total(taken)
    return left, [Leg(avail(account.org_id), -paid), Leg(debt(account.org_id), paid)]


def _taken(
    grants: tuple[Grant, ...], amount: int, now: datetime, *, first: str | None = None
) -> tuple[tuple[Grant, ...], tuple[Grant, ...]]:
    """Up to `amount` from the living grants in the order of spending (`first` before all): the parts taken, and the
    grants left."""
    living = sorted((g for g in grants if not g.expired(now)), key=lambda g: (g.id != first, spending_order(g)))
    taken, left = _split(living, amount)
    return taken, _with(tuple(g for g in grants if g.expired(now)), left)


def _split(parts: Iterable[Grant], amount: int) -> tuple[tuple[Grant, ...], tuple[Grant, ...]]:
    """The first `amount` credits of `parts`, and what comes after them; no empty part in either."""
    before, after = [], []
    for part in parts:
        take = min(part.remaining, amount)
        amount -= take
        before.append(replace(part, remaining=take))
        after.append(replace(part, remaining=part.remaining - take))
    return tuple(p for p in before if p.remaining), tuple(p for p in after if p.remaining)


def _with(grants: tuple[Grant, ...], added: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """The grants with credits added, merged by id, in the order of spending."""
    merged = {grant.id: grant for grant in grants}
    for part in added:
        there = merged.get(part.id)
        merged[part.id] = replace(part, remaining=part.remaining + (there.remaining if there else 0))
    return tuple(sorted(merged.values(), key=spending_order))


def spending_order(grant: Grant) -> tuple[int, str, str]:
    """Lower priority number first, then what expires sooner (never: last), then the older."""
    return grant.priority, clock.rfc3339(grant.expires_at) if grant.expires_at else "~", grant.id


def _total(parts: Iterable[Grant]) -> int:
    return sum(part.remaining for part in parts)
