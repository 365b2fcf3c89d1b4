"""Stream of the table assets: publish the news of assets on the bus."""

from typing import Any

from snapforge.assets import service
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Publish in order; the first failure is returned, and the stream goes on from there."""
    return service.publish_outbox(event["Records"])
