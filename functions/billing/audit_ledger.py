"""Operator's deed: hold an org's ledger against every invariant. Invoked with {org_id}; changes nothing."""

from typing import Any

from snapforge.billing import service
from snapforge.billing.schemas import AuditDeed
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """`{"org_id": …, "exact": true, "faults": []}`; a fault is a sentence."""
    org_id = AuditDeed.model_validate(event).org_id
    faults = service.audit(org_id)
    return {"org_id": org_id, "exact": not faults, "faults": faults}
