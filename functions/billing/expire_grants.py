"""Schedule, every minute: book what has expired, and publish the news of billing that the stream lost."""

from typing import Any

from snapforge.billing import service
from snapforge.http import observe
from snapforge.kit import clock


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """How many grants expired and how many late events went out."""
    published = service.publish_late()
    return {"expired": service.expire_due(clock.now()), "published": published}
