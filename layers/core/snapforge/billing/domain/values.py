"""The ledger's things: accounts, grants, holds, journals. Each refuses to exist in a state that contradicts itself."""

from dataclasses import dataclass
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
    clawback = "clawback"
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
    available: int = 0
    held: int = 0
    debt: int = 0
    grants: tuple[Grant, ...] = ()
    version: int = 0

    def __post_init__(self) -> None:
        if min(self.available, self.held, self.debt) < 0:
            raise BrokenLedger(f"{self.org_id}: a balance below 0: {self}")
        if self.available != sum(grant.remaining for grant in self.grants):
            raise BrokenLedger(f"{self.org_id}: available differs from the grants: {self}")
        if any(grant.remaining <= 0 for grant in self.grants):
            raise BrokenLedger(f"{self.org_id}: an empty grant: {self}")

    def spendable(self, now: datetime) -> int:
        """Credits that a hold could reserve at `now`: `available` without what has expired."""
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
class JournalDraft:
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


def available(org_id: str) -> str:
    """The ledger account of what an org can spend."""
    return f"org:{org_id}:available"


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


def spending_order(grant: Grant) -> tuple[int, str, str]:
    """Lower priority number first, then what expires sooner (never: last), then the older."""
    return grant.priority, clock.rfc3339(grant.expires_at) if grant.expires_at else "~", grant.id
