"""Poll and list."""

import math

from snapforge.aws import lists
from snapforge.jobs import errors, schemas, store, views
from snapforge.jobs.domain import fleet, locations
from snapforge.jobs.service.fleet import autoscaling
from snapforge.jobs.store import JobRow
from snapforge.kit.page import Page
from snapforge.kit.permissions import Principal

MAX_COUNTED = 500
"""Tickets ahead that a position is counted over."""
BUDGET = 500
"""Jobs that a filtered page looks at. A page may come back short, even empty, with a cursor to go on from."""


def get_job(principal: Principal, job_id: str) -> schemas.Job:
    """One job with its progress. One Query, while it waits in a queue of tickets another one. JobNotFound."""
    found = store.find_job_with_progress(principal.org_id, job_id)
    if found is None:
        raise errors.JobNotFound()
    job, progress = found
    return views.job(job, progress, _place(job) if views.waits(job, progress) else None)


def _place(job: JobRow) -> views.Place | None:
    """None where a worker or a provider has taken it, or it is beyond MAX_COUNTED."""
    queue = locations.queue(job.parameters.priority)
    ahead = 0.0
    for position, row in enumerate(store.in_place(queue, job.queued_since, limit=MAX_COUNTED), 1):
        if row.pk == store.attempt_pk(job.id):
            return views.Place(position, math.ceil(fleet.seconds_to_begin(ahead, autoscaling.policy())))
        ahead += float(row.drawing_ms or 0) / 1000
    return None


def list_jobs(principal: Principal, query: schemas.JobsQuery) -> Page[schemas.JobSummary]:
    """The org's jobs, newest first. One Query without filters; with filters at most BUDGET jobs are looked at."""
    filtered = query.kind is not None or query.state is not None
    # Without a filter, one more than the page, and as many progress items again at the most.
    page_size = 200 if filtered else 2 * query.limit + 2
    return lists.page(
        store.newest_first(principal.org_id, query.cursor, page_size),
        query.limit,
        key=lambda found: found[0].sk,
        view=lambda found: views.summary(*found),
        wanted=lambda found: _wanted(found[0], query),
        budget=BUDGET,
    )


def _wanted(row: JobRow, query: schemas.JobsQuery) -> bool:
    return (query.kind is None or row.kind == query.kind) and (query.state is None or row.state == query.state.value)
