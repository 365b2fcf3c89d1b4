"""Operator's deed: give credits to an org. Invoked with {org_id, credits, reason, key, expires_at?}.

    aws lambda invoke --function-name snapforge-dev-grant-credits --cli-binary-format raw-in-base64-out \
        --payload '{"org_id": "org_…", "credits": 500, "reason": "Sorry for the outage", "key": "ticket-4711"}' out.json
"""

from typing import Any

from snapforge.billing import service
from snapforge.billing.schemas import GrantDeed, GrantDone
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Grant once per `key`; returns the journal's id and the balance after it."""
    deed = GrantDeed.model_validate(event)
    journal = service.grant_by_operator(
        deed.org_id, credits=deed.credits, reason=deed.reason, key=deed.key, expires_at=deed.expires_at
    )
    return GrantDone(journal_id=journal.id, balance=service.balance(deed.org_id)).model_dump(mode="json")
