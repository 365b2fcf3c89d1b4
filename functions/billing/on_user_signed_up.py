"""The credits that every new org starts with."""

from snapforge.billing.service import ledger
from snapforge.kit.events import Event
from snapforge.triggers import event


@event("user.signed_up")
def handler(signed_up: Event) -> dict[str, str]:
    """Grant once per org, however often the event arrives."""
    return {"journal_id": ledger.grant_at_sign_up(signed_up.org_id).id}
