"""Look at small copies of a capture's photos, on the CPU."""

from snapforge import observe
from snapforge.jobs import service
from snapforge.kit.events import Event
from snapforge.triggers import event


@event("preflight.asked", queue="preflights")
def handler(asked: Event) -> None:
    """Twice is harmless."""
    observe.logger().info("preflight", extra={**asked.data, "outcome": service.preflight(asked)})
