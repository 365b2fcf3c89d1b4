"""Each minute: publish the events of identity that the stream lost."""

from snapforge.aws import bus, outbox
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many late events went out."""
    return {"published": outbox.publish_late("identity", bus.publish)}
