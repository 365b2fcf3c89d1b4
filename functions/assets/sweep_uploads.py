"""Schedule, every five minutes: let uploads that never came expire, and publish the news that the stream lost."""

from typing import Any

from snapforge.assets import service
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """How many uploads expired and how many late events went out."""
    published = service.publish_late()
    return {"expired": service.sweep_uploads(), "published": published}
