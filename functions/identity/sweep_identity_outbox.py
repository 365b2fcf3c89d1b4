"""Schedule, every minute: publish the news of identity that the stream lost."""

from typing import Any

from snapforge.http import observe
from snapforge.identity import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """How many late events went out."""
    return {"published": service.publish_late()}
