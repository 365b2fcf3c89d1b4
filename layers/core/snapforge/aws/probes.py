"""Is what we stand on there? Each probe is one cheap call that raises when it is not; contexts say which they need."""

from snapforge.aws import settings
from snapforge.aws.clients import client
from snapforge.aws.tables import connection


def table(name: str) -> None:
    """`name`: after `snapforge-<stage>-`."""
    connection().describe_table(settings.table(name))


def bucket(setting: str) -> None:
    """`setting`: the variable that names it."""
    client("s3").head_bucket(Bucket=settings.get(setting))


def queue(setting: str) -> None:
    """`setting`: the variable that holds its URL."""
    client("sqs").get_queue_attributes(QueueUrl=settings.get(setting), AttributeNames=["QueueArn"])


def mail() -> None:
    """SES, whether the account may send or is still in its sandbox."""
    client("sesv2").get_account()


def state_machine(setting: str) -> None:
    """`setting`: the variable that holds its ARN."""
    client("stepfunctions").describe_state_machine(stateMachineArn=settings.get(setting))


def batch_queue(name: str) -> None:
    """`name`: of a Batch job queue, after BATCH_PREFIX."""
    client("batch").describe_job_queues(jobQueues=[settings.get("BATCH_PREFIX") + name])
