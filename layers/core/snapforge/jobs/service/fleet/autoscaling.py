"""Keeps enough warm workers: called by Dispatch, by a schedule, and when a worker has ended."""

import time
from datetime import datetime, timedelta

from snapforge.aws import batch, settings, tables
from snapforge.jobs import decisions, store
from snapforge.jobs.decisions import FleetRow
from snapforge.jobs.domain import fleet, locations
from snapforge.jobs.domain.fleet import Policy, Waiting, Workers
from snapforge.kit import clock

QUEUE = "images"
DEFINITION = "image"
MAX_TICKETS = 500
"""Of each priority that are looked at; more would not start more workers."""
VISIBLE = timedelta(seconds=30)
"""By then Batch's list shows what was submitted."""
PAUSE = timedelta(seconds=5)
"""Between two decisions when workers end: one that cannot even start is not replaced in a circle."""


def policy() -> Policy:
    """The operator's, from the template."""
    return Policy(float(settings.get("TARGET_WAIT_SECONDS")), int(settings.get("MAX_IMAGE_WORKERS")))


def keep_workers(*, after_end: bool = False) -> int:
    """Start the workers that are missing; returns how many. Never called in vain: without tickets it is three reads.

    after_end: a worker has just ended.
    """
    return tables.retried(lambda: _keep(after_end=after_end))


def is_cold() -> bool:
    """Whether no worker runs that could take a ticket now."""
    return "RUNNING" not in batch.unfinished(QUEUE).values()


def _keep(*, after_end: bool) -> int:
    waiting = _waiting(clock.now())
    if not waiting.tickets:
        return 0
    row = decisions.last()
    if after_end and row.promised_at is not None:
        time.sleep(max(0.0, (row.promised_at + PAUSE - clock.now()).total_seconds()))
    now = clock.now()
    missing = fleet.to_start(waiting, _workers(row, now), policy())
    if missing:
        # First, so that of two who decide at the same time one finds itself too late and looks again.
        decisions.promise(row, missing, now)
        _submit(row, missing)
    return missing


def _waiting(now: datetime) -> Waiting:
    found = [row for place in locations.QUEUES for row in store.in_place(place, limit=MAX_TICKETS)]
    return Waiting(
        tickets=len(found),
        seconds=sum(float(row.drawing_ms or 0) for row in found) / 1000,
        oldest=max(((now - row.placed_at).total_seconds() for row in found if row.placed_at), default=0.0),
    )


def _workers(row: FleetRow, now: datetime) -> Workers:
    """What Batch lists, and what was decided so lately that its list may not show it yet."""
    open_jobs = batch.unfinished(QUEUE)
    unsent = 0
    if row.promised_at is not None and now - row.promised_at < VISIBLE:
        submitted = row.batch_ids or set()
        unsent = max(0, row.promised - len(submitted))
        for batch_id in submitted - open_jobs.keys():
            found = batch.describe(batch_id)
            if found is not None and not found.ended:
                open_jobs[batch_id] = found.status
    running = sum(status == "RUNNING" for status in open_jobs.values())
    return Workers(running=running, starting=len(open_jobs) - running + unsent)


def _submit(row: FleetRow, workers: int) -> None:
    for _ in range(workers):
        batch_id = batch.submit_worker(name=fleet.WORKER, queue=QUEUE, definition=DEFINITION)
        row.update(actions=[FleetRow.batch_ids.add({batch_id})])
