"""Stream of the table billing: publish its events on the bus."""

from snapforge.aws import bus, outbox
from snapforge.triggers import StreamRecord, stream


@stream("billing")
def handler(record: StreamRecord) -> None:
    """An outbox row, as it was written."""
    outbox.publish_row(record.table, record.image, bus.publish)
