"""Faults from outside the code: hooks on the SDK's own events, and a process that dies in one of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.exceptions import ReadTimeoutError

from snapforge.aws import tables
from snapforge.billing.service import ledger
from tests.core.billing.operations import hold, settle

WRITE = "dynamodb.TransactWriteItems"


@contextmanager
def hooked(event: str, handler: Any) -> Iterator[None]:
    """`handler` on an event of the process's DynamoDB client."""
    events = tables.connection().client.meta.events
    events.register(event, handler)
    try:
        yield
    finally:
        events.unregister(event, handler)


@contextmanager
def conflicts(times: int) -> Iterator[list[int]]:
    """The next `times` transactions are answered TransactionConflict, as DynamoDB does and the emulator never.
    Yields the count of transactions sent, one entry each."""
    sent: list[int] = []

    def answer(params: dict[str, Any], **_: Any) -> Any:
        sent.append(len(sent))
        if len(sent) > times:
            return None
        body = {
            "Error": {"Code": "TransactionCanceledException", "Message": "Transaction cancelled [TransactionConflict]"},
            "CancellationReasons": [
                {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
                {"Code": "None"},
                {"Code": "None"},
            ],
            "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {}, "RetryAttempts": 0},
        }
        return AWSResponse("", 400, HTTPHeaders(), None), body

    with hooked(f"before-call.{WRITE}", answer):
        yield sent


@contextmanager
def lost_answer() -> Iterator[None]:
    """The next transaction is written, but its answer never arrives."""
    lost: list[bool] = []

    def lose(**_: Any) -> None:
        if not lost:
            lost.append(True)
            raise ReadTimeoutError(endpoint_url="dynamodb")

    with hooked(f"after-call.{WRITE}", lose):
        yield


def die(draft: str, moment: str, org_id: str) -> None:
    """Do a draft and die by SIGKILL `before` or `after` its transaction is written. Runs in a process of its own."""

    def kill(**_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with hooked(f"{moment}-call.{WRITE}", kill):
        do(draft, org_id)


def do(draft: str, org_id: str) -> object:
    """A draft by name, on an org with 10 credits and the hold h1 of 4."""
    if draft == "grant":
        return ledger.grant(org_id, credits=5, kind="pack", key="second", memo="Pack").key
    if draft == "hold":
        return hold(org_id, 3, "h2")
    return settle(org_id, 1)
