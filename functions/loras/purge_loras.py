"""Schedule, every hour: remove the weights of LoRAs that were deleted long enough ago."""

from typing import Any

from snapforge.http import observe
from snapforge.loras import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """How many LoRAs were removed for good."""
    return {"purged": service.purge_due()}
