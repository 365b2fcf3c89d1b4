"""The receipt of a run: made when it ends, and put right when an attempt tells later what it used."""

from datetime import datetime

from snapforge.aws import tables
from snapforge.contracts.results import Result
from snapforge.jobs import store
from snapforge.jobs.domain import receipts
from snapforge.jobs.domain.receipts import Receipt, Spent
from snapforge.jobs.service.runs import attempts
from snapforge.jobs.store import AttemptRow, JobRow


def receipt(job: JobRow) -> Receipt:
    """Of what the job's attempts have spent so far."""
    return receipts.total(
        job.spent,
        attempts=job.attempt,
        credits=job.credits,
        charged=job.charged or 0,
        priority=job.parameters.priority,
    )


def spent_by(row: AttemptRow, until: datetime) -> list[Spent]:
    """What an attempt has used: by its own word, else by Batch's clock; nothing where it never ran."""
    result = _told(row, row.outcome.left_at if row.outcome else None)
    if result is not None:
        return [receipts.of_usage(row.attempt, result.usage)]
    spent = receipts.of_times(row.attempt, row.started_at, row.ended_at or until)
    return [spent] if spent else []


def note_late(row: AttemptRow, uri: str) -> None:
    """Put on the receipt what an attempt says that it used, if its run was ended without it (canceled, out of time).

    `uri`: its result.json or partial.json. Money and state stay as they are; told twice, or of a run that goes on, it
    changes nothing.
    """

    def write() -> None:
        job = store.find_job(row.org_id, row.job_id)
        if job is None or not job.lifecycle().final or job.run != row.run:
            return
        result = _told(row, uri)
        if result is None:
            return
        spent = receipts.of_usage(row.attempt, result.usage)
        if spent in job.spent:
            return
        job.spent = receipts.known_later(job.spent, spent)
        job.receipt = receipt(job)
        tx = tables.Transaction()
        tx.put_changed(job)
        tx.commit()

    tables.retried(write)


def _told(row: AttemptRow, uri: str | None) -> Result | None:
    return attempts.read_result(uri, row.job_id, row.run, row.attempt)
