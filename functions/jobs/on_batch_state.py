"""Workers that died without a word: what Batch says of its jobs, a minute late."""

from snapforge.aws.events import BatchJobStateChange
from snapforge.jobs.service.runs import reports
from snapforge.triggers import aws_event


@aws_event("aws.batch", "Batch Job State Change", BatchJobStateChange, queue="batch-states")
def handler(change: BatchJobStateChange) -> None:
    """Reported twice, late or out of order, it changes nothing that stands."""
    reports.take_batch_state(change.detail.job_id, change.detail.job_name)
