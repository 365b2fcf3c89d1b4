"""Each minute: book what has expired, and publish the events of billing that the stream lost."""

from snapforge.aws import bus, outbox
from snapforge.billing.service import ledger
from snapforge.kit import clock
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many grants expired and how many late events went out."""
    published = outbox.publish_late("billing", bus.publish)
    return {"expired": ledger.expire_due(clock.now()), "published": published}
