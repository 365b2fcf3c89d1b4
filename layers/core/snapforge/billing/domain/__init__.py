"""The ledger's rules, decided with plain values.

Signs: a leg adds `amount` to its account. `org:<id>:available` and `org:<id>:held` are what the customer has;
`org:<id>:debt` is what the customer lacks, so it runs below zero and `Account.debt` is its negative. MailContext
accounts are the other side; nobody stores their balances, they are folds of journals.

An expired grant is dead from its moment on: nothing spends it, whether or not the sweep has booked its expiry yet. So
the outcome of a draft never depends on when the sweep ran.
"""

from snapforge.billing.domain.operations import (
    clawback,
    expire,
    fingerprint,
    grant,
    hold,
    settle,
    whole,
    write_off,
)
from snapforge.billing.domain.values import (
    EXPIRED,
    PRIORITIES,
    REVENUE,
    SIGNUP_CREDITS,
    WRITE_OFF,
    Account,
    BrokenLedger,
    Ended,
    Grant,
    GrantKind,
    Hold,
    HoldChange,
    HoldState,
    InDebt,
    Journal,
    JournalDraft,
    JournalKind,
    Leg,
    NotEnough,
    Posting,
    Settled,
    available,
    debt,
    granted,
    held,
    spending_order,
)

__all__ = [
    "Account",
    "BrokenLedger",
    "JournalDraft",
    "EXPIRED",
    "Ended",
    "Grant",
    "GrantKind",
    "Hold",
    "HoldChange",
    "HoldState",
    "InDebt",
    "Journal",
    "JournalKind",
    "Leg",
    "NotEnough",
    "PRIORITIES",
    "Posting",
    "REVENUE",
    "SIGNUP_CREDITS",
    "Settled",
    "WRITE_OFF",
    "available",
    "clawback",
    "debt",
    "expire",
    "fingerprint",
    "grant",
    "granted",
    "held",
    "hold",
    "settle",
    "spending_order",
    "whole",
    "write_off",
]
