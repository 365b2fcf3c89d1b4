"""What clients see of billing."""

from typing import Literal

from pydantic import Field, StrictInt

from snapforge.billing.domain import GrantKind, JournalKind
from snapforge.kit.ids import OrgId
from snapforge.kit.page import PageQuery
from snapforge.kit.schema import Schema, Timestamp


class GrantView(Schema):
    """Credits that can be spent, of one origin."""

    kind: GrantKind
    remaining: int
    expires_at: Timestamp | None = None


class BalanceView(Schema):
    """An org's credits: `available` can be spent now, `held` is reserved by work in progress, `debt` blocks new work.

    `grants` are in the order of spending and sum to `available`.
    """

    available: int
    held: int
    debt: int
    grants: list[GrantView]


class LegView(Schema):
    """One side of a journal."""

    account: str
    amount: int


class JournalView(Schema):
    """One line of the statement, with what it changed. The legs sum to 0."""

    id: str
    at: Timestamp
    kind: JournalKind
    memo: str
    change_available: int
    change_held: int
    change_debt: int
    hold_id: str | None = None
    legs: list[LegView]


class JournalQuery(PageQuery):
    """A page of the statement, newest first."""

    limit: int = Field(default=50, ge=1, le=100)


class GrantCommand(Schema):
    """An operator's grant. `key` names it: sent twice, it is done once."""

    org_id: OrgId
    credits: StrictInt = Field(ge=1, le=10_000_000, examples=[500])
    reason: str = Field(min_length=3, max_length=200, examples=["Sorry for the outage"])
    key: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$", examples=["ticket-4711"])
    expires_at: Timestamp | None = None


class GrantAnswer(Schema):
    """What an operator's grant came to."""

    status: Literal["granted"] = "granted"
    journal_id: str
    balance: BalanceView


class AuditCommand(Schema):
    """An operator's audit of one org's ledger."""

    org_id: OrgId


class AuditAnswer(Schema):
    """Whether the ledger is exact; a fault is a sentence."""

    org_id: str
    exact: bool
    faults: list[str]
