"""A warm worker has ended: start another one, where there is work for it."""

from snapforge.aws.events import BatchJobStateChange
from snapforge.jobs.service.fleet import autoscaling
from snapforge.triggers import aws_event


@aws_event("aws.batch", "Batch Job State Change", BatchJobStateChange)
def handler(ended: BatchJobStateChange) -> dict[str, int]:
    """How many workers were started."""
    return {"started": autoscaling.keep_workers(after_end=True)}
