"""What each context owns. A new context is a line here."""

from snapforge.assets.ownership import OWNERSHIP as ASSETS
from snapforge.billing.ownership import OWNERSHIP as BILLING
from snapforge.identity.ownership import OWNERSHIP as IDENTITY
from snapforge.jobs.ownership import OWNERSHIP as JOBS
from snapforge.kit.ownership import Ownership
from snapforge.loras.ownership import OWNERSHIP as LORAS
from snapforge.notifications.ownership import OWNERSHIP as NOTIFICATIONS

CONTEXTS: dict[str, Ownership] = {
    "identity": IDENTITY,
    "billing": BILLING,
    "assets": ASSETS,
    "loras": LORAS,
    "jobs": JOBS,
    "notifications": NOTIFICATIONS,
}


def tables() -> tuple[str, ...]:
    """Every table."""
    return tuple(table.name for owned in CONTEXTS.values() for table in owned.tables)


def outboxes() -> tuple[str, ...]:
    """The tables whose events the common function publishes."""
    return tuple(table.name for owned in CONTEXTS.values() for table in owned.tables if table.outbox)
