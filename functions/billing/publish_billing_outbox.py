"""Stream of the table billing: publish the news of billing on the bus."""

from typing import Any

from snapforge.billing import service
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Publish in order; the first failure is returned, and the stream goes on from there."""
    return service.publish_outbox(event["Records"])
