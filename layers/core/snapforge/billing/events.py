"""Events of billing."""

from snapforge.billing.domain import Account, Grant, Journal
from snapforge.kit import ids
from snapforge.kit.events import Event

GRANTED = "credits.granted"
EXPIRED = "credits.expired"

_EXAMPLE = {
    "journal_id": ids.example("journal"),
    "kind": "signup",
    "credits": 100,
    "available": 100,
    "debt": 0,
    "memo": "Welcome credits",
}
EXAMPLES = {GRANTED: _EXAMPLE, EXPIRED: _EXAMPLE | {"available": 0}}
"""An event's data by its type: the sample events are made of it."""


def granted(account: Account, journal: Journal, grant: Grant) -> Event:
    """Credits were given. `account` is the one after it."""
    return _event(GRANTED, account, journal, grant)


def expired(account: Account, journal: Journal, grant: Grant) -> Event:
    """What remained of a grant expired. `account` is the one after it."""
    return _event(EXPIRED, account, journal, grant)


def _event(type_: str, account: Account, journal: Journal, grant: Grant) -> Event:
    return Event(
        type=type_,
        at=journal.at,
        org_id=account.org_id,
        data={
            "journal_id": journal.id,
            "kind": grant.kind.value,
            "credits": grant.remaining,
            "available": account.spendable(journal.at),
            "debt": account.debt,
            "memo": journal.memo,
        },
    )
