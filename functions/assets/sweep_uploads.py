"""Each minute: let uploads that never came expire, and publish the events that the stream lost."""

from snapforge.assets.service import uploads
from snapforge.aws import bus, outbox
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many uploads expired and how many late events went out."""
    published = outbox.publish_late("assets", bus.publish)
    return {"expired": uploads.sweep_uploads(), "published": published}
