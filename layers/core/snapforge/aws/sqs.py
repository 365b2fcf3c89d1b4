"""The queues of the house, by the name after `snapforge-<stage>-`."""

from snapforge.aws import settings
from snapforge.aws.clients import client


def url(queue: str) -> str:
    """The address of a queue, e.g. of `images-rush`."""
    return settings.get("QUEUE_PREFIX") + queue


def send(queue: str, body: str, *, group: str) -> None:
    """Put a message on a standard queue. `group` is its message group: SQS delivers fairly between groups."""
    client("sqs").send_message(QueueUrl=url(queue), MessageBody=body, MessageGroupId=group)


def send_to(address: str, body: str) -> None:
    """Put a message on the queue at `address`, as a manifest names one."""
    client("sqs").send_message(QueueUrl=address, MessageBody=body)
