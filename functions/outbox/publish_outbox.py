"""Streams of the tables: publish their events on the bus."""

from snapforge.admin import contexts
from snapforge.aws import bus, outbox
from snapforge.triggers import StreamRecord, stream


@stream(*contexts.outboxes())
def handler(record: StreamRecord) -> None:
    """An outbox row, as it was written."""
    outbox.publish_row(record.table, record.image, bus.publish)
