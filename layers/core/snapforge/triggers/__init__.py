"""What stands between AWS and a service call where no HTTP client asks. Functions import from here only.

    @queue("reports", Report)                         SQS, a message at a time
    @event("asset.created", queue="variants")         the house's bus, straight or through a queue
    @aws_event("aws.s3", "Object Created", ObjectCreated, queue="uploaded")      an event of AWS itself
    @stream("jobs", "billing")                        DynamoDB streams, a record at a time, in order
    @schedule("rate(1 minute)")                       the clock
    @step(CheckCall, CheckAnswer)                     a state of the workflow
    @command(GrantCommand, GrantAnswer)                 an operator, by `aws lambda invoke`
    @function_url(verify=stripe.verify)               a provider's webhook, with its raw body

Each parses its payload, observes the invocation, and answers as its source wants it. What it declares is held against
the templates by tests/infrastructure/test_conformance.py.
"""

from snapforge.triggers.base import Invocation
from snapforge.triggers.command import command
from snapforge.triggers.event import aws_event, event
from snapforge.triggers.function_url import function_url
from snapforge.triggers.queue import queue
from snapforge.triggers.schedule import schedule
from snapforge.triggers.step import step
from snapforge.triggers.stream import StreamRecord, stream

__all__ = [
    "Invocation",
    "StreamRecord",
    "aws_event",
    "command",
    "event",
    "function_url",
    "queue",
    "schedule",
    "step",
    "stream",
]
