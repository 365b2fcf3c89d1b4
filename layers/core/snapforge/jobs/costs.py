"""The receipt of a run: made when it ends, and put right when an attempt tells later what it used."""

from snapforge.aws import tables
from snapforge.jobs import attempts, store
from snapforge.jobs.domain import receipts
from snapforge.jobs.domain.receipts import Receipt
from snapforge.jobs.store import AttemptRow, JobRow


def receipt(job: JobRow) -> Receipt:
    """Of what the job's attempts have spent so far."""
    return receipts.total(
        job.spent,
        attempts=int(job.attempt),
        credits=int(job.credits),
        charged=int(job.charged or 0),
        priority=job.parameters.priority,
    )


def note_late(row: AttemptRow, uri: str) -> None:
    """Put on the receipt what an attempt says that it used, after its run was ended without it (canceled, out of time).

    `uri`: its result.json or partial.json. Money and state stay as they are; told twice, it changes nothing.
    """

    def write() -> None:
        job = store.find_job(row.org_id, row.job_id)
        result = attempts.read_result(uri, row.job_id, int(row.run), int(row.attempt))
        if job is None or result is None or not job.life().final or job.run != row.run:
            return
        spent = receipts.of_usage(int(row.attempt), result.usage)
        if spent in job.spent:
            return
        job.spent = receipts.known_later(job.spent, spent)
        job.receipt = receipt(job)
        tx = tables.Transaction()
        store.put_changed(tx, job)
        tx.commit()

    tables.retried(write)
