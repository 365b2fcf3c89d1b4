"""What identity's outbox holds, to the bus."""

from typing import Any

from snapforge.aws import bus, outbox
from snapforge.identity import store


def publish_outbox(records: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """Publish the outbox rows of a stream batch; Lambda's partial answer."""
    return outbox.publish_records(records, store.Outbox, bus.publish)


def publish_late() -> int:
    """Publish what the stream has left for over a minute; returns how many."""
    return outbox.publish_late(store.Outbox, bus.publish)
