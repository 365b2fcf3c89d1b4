"""A warm worker has ended: start another one, where there is work for it."""

from snapforge.aws.events import BatchJobStateChange
from snapforge.jobs import service
from snapforge.triggers import aws_event


@aws_event("aws.batch", "Batch Job State Change", BatchJobStateChange)
def handler(ended: BatchJobStateChange) -> dict[str, int]:
    """How many workers were started."""
    return {"started": service.keep_workers(after_end=True)}
