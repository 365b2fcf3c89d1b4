"""Bus event user.signed_up: the credits that every new org starts with."""

from typing import Any

from snapforge.billing import service
from snapforge.http import observe
from snapforge.kit.events import Event


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Grant once per org, however often the event arrives."""
    journal = service.grant_at_sign_up(Event.model_validate(event["detail"]).org_id)
    return {"journal_id": journal.id}
