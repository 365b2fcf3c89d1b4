"""Each minute: publish the events that the streams lost."""

from snapforge.admin import contexts
from snapforge.aws import bus, outbox
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many late events went out."""
    return {"published": outbox.publish_all_late(contexts.outboxes(), bus.publish)}
