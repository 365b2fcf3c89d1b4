"""Deeds as callers do them, for tests on the emulator."""

import json
from collections.abc import Callable
from typing import Any

import boto3

from snapforge.aws.tables import Transaction, retried
from snapforge.billing.domain import Settled
from snapforge.billing.service import ledger
from snapforge.kit import ids


def new_org(credits: int = 0) -> str:
    """A fresh org, with so many pack credits."""
    org_id = ids.new("org")
    if credits:
        ledger.grant(org_id, credits=credits, kind="pack", key="first", memo="Pack")
    return org_id


def hold(org_id: str, credits: int, hold_id: str = "h1", key: str | None = None) -> str:
    """Hold in a transaction of its own, as jobs does with its rows."""

    def write() -> None:
        tx = Transaction()
        ledger.hold(
            tx, org_id=org_id, hold_id=hold_id, credits=credits, key=key or f"hold:{hold_id}", memo="2 pictures"
        )
        tx.commit()

    retried(write)
    return hold_id


def settle(org_id: str, capture: int, hold_id: str = "h1", key: str | None = None) -> Settled:
    """Settle in a transaction of its own."""

    def write() -> Settled:
        tx = Transaction()
        settled = ledger.settle(
            tx, org_id=org_id, hold_id=hold_id, capture=capture, key=key or f"settle:{hold_id}", memo="2 pictures"
        )
        tx.commit()
        return settled

    return retried(write)


def news(org_id: str) -> list[dict[str, Any]]:
    """The events of an org in the outbox, oldest first."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName="snapforge-dev-billing")
    events = [json.loads(item["event"]["S"]) for page in pages for item in page["Items"] if "event" in item]
    return sorted((event for event in events if event["org_id"] == org_id), key=lambda event: str(event["id"]))


def raised(action: Callable[[], object]) -> str:
    """The name of the error that `action` raises, or `""`."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - the caller looks at the name
        return type(error).__name__
    return ""
