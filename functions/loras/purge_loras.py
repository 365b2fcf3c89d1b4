"""Each hour: remove the weights of LoRAs that were deleted long enough ago."""

from snapforge.kit import clock
from snapforge.loras.service import retention
from snapforge.triggers import schedule


@schedule("rate(1 hour)")
def handler() -> dict[str, int]:
    """How many LoRAs were removed for good."""
    return {"purged": retention.purge_due(clock.now())}
