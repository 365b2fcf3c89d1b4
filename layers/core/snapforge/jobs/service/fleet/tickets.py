"""Attempts that wait in a queue of tickets: who has claimed one, whether they live, and that nobody wants it."""

import json
from datetime import datetime, timedelta

from snapforge.aws import batch, s3
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM, LOST_SECONDS
from snapforge.jobs.domain import failures
from snapforge.jobs.domain.failures import Failure
from snapforge.kit import clock

LOST = timedelta(seconds=LOST_SECONDS)


def claimant(prefix: str) -> str | None:
    """Who owns the attempt below `prefix`, by claim.json: a Batch job, or a provider's call; None before that."""
    text = s3.find(prefix + CLAIM)
    return str(json.loads(text)["batch_job_id"]) if text else None


def lost(prefix: str, owner: str, now: datetime) -> Failure | None:
    """Why the owner works on it no more: it has ended, or has not beaten for LOST_SECONDS; None while it lives."""
    found = batch.describe(owner)
    if found is not None and found.ended:
        return failures.of_worker(found.status, found.exit_code, found.reason)
    return failures.worker_lost("it fell silent") if silent(prefix, now) else None


def silent(prefix: str, now: datetime) -> bool:
    """Whether the owner has given no sign of life for LOST_SECONDS."""
    beaten = s3.modified(prefix + BEAT) or s3.modified(prefix + CLAIM)
    return beaten is None or now - beaten >= LOST


def mark_canceled(prefix: str) -> None:
    """Tell whoever has the attempt, or comes to it, that nobody wants it any more."""
    s3.put(prefix + CANCELED, json.dumps({"at": clock.rfc3339(clock.now())}).encode(), "application/json")
