"""Stream of the table jobs: start workflows, stop what was ended, publish the rest."""

from snapforge.aws import outbox
from snapforge.jobs.service.runs import publishing
from snapforge.triggers import StreamRecord, stream


@stream("jobs")
def handler(record: StreamRecord) -> None:
    """An outbox row, as it was written."""
    outbox.publish_row(record.table, record.image, publishing.publish)
