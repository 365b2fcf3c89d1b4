"""Look at small copies of a capture's photos, on the CPU."""

from snapforge import observe
from snapforge.jobs.service.submission import preflights
from snapforge.kit.events import Event
from snapforge.triggers import event


@event("preflight.asked", queue="preflights")
def handler(asked: Event) -> None:
    """Twice is harmless."""
    observe.logger().info("preflight", extra={**asked.data, "outcome": preflights.preflight(asked)})
