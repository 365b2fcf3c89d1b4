"""Is what we stand on there? Each probe is one cheap call that raises when it is not."""

from collections.abc import Callable

from snapforge.aws import settings
from snapforge.aws.clients import client
from snapforge.aws.tables import connection

TABLES = ("identity", "assets", "billing", "jobs", "loras", "notifications")


def _tables() -> None:
    for context in TABLES:
        connection().describe_table(settings.table(context))


def _buckets() -> None:
    for name in ("UPLOADS_BUCKET", "ASSETS_BUCKET"):
        client("s3").head_bucket(Bucket=settings.get(name))


def _queues() -> None:
    client("sqs").get_queue_attributes(QueueUrl=settings.get("REPORTS_QUEUE_URL"), AttributeNames=["QueueArn"])


def _mail() -> None:
    client("sesv2").get_account()


def _workflow() -> None:
    client("stepfunctions").describe_state_machine(stateMachineArn=settings.get("STATE_MACHINE_ARN"))


def _engine() -> None:
    client("batch").describe_job_queues(jobQueues=[settings.get("BATCH_PREFIX") + "standard"])


PROBES: dict[str, Callable[[], None]] = {
    "tables": _tables,
    "buckets": _buckets,
    "queues": _queues,
    "mail": _mail,
    "workflow": _workflow,
    "engine": _engine,
}
