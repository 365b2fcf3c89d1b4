"""SQS `mail` ← bus rule: send the mail that an event calls for."""

import json
from typing import Any

from snapforge.http import observe
from snapforge.kit.events import Event
from snapforge.notifications import service


def _handle(record: dict[str, Any]) -> None:
    service.handle(Event.model_validate(json.loads(record["body"])["detail"]))


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Send each message's mail; failed ones return to the queue."""
    return observe.each_message(event, _handle)
