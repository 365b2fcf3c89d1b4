"""Stream of the table identity: publish the news of identity on the bus."""

from typing import Any

from snapforge.http import observe
from snapforge.identity import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Publish in order; the first failure is returned, and the stream goes on from there."""
    return service.publish_outbox(event["Records"])
