"""Attempts: what the engine says of one, telling the workflow how it ended, stopping its work."""

from datetime import datetime, timedelta

from pydantic import ValidationError

from snapforge.aws import batch, s3, settings, states, tables
from snapforge.aws.batch import BatchJob
from snapforge.contracts.manifest import work_folder
from snapforge.contracts.reports import FailureCategory
from snapforge.contracts.results import Result
from snapforge.contracts.tickets import RESULT
from snapforge.jobs import store
from snapforge.jobs.domain import failures
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service.fleet import tickets
from snapforge.jobs.store import AttemptRow
from snapforge.kit import clock

GONE = Outcome(outcome="gone")
SETTLING = timedelta(minutes=2)
"""How long a dispatch may be between its steps, and Batch may not yet know a job it has just taken."""


def prefix_uri(job_id: str, run: int, attempt: int) -> str:
    """Where an attempt's manifest, claim, checkpoints and results lie."""
    return f"s3://{settings.get('ASSETS_BUCKET')}/{work_folder(job_id)}{run}/{attempt}/"


def row_prefix(row: AttemptRow) -> str:
    """The same, of a row."""
    return prefix_uri(row.job_id, row.run, row.attempt)


def report_outcome(row: AttemptRow, outcome: Outcome) -> bool:
    """Note how an attempt ended and answer the waiting workflow with what stands; False when nobody waits."""
    stands = tables.retried(lambda: store.close(row, outcome, clock.now()))
    return states.answer(row.task_token, stands.model_dump(mode="json"))


def claimant(row: AttemptRow) -> str | None:
    """The Batch id that owns the attempt, by claim.json; None before a worker began."""
    return tickets.claimant(row_prefix(row))


def observed_outcome(row: AttemptRow, now: datetime) -> Outcome | None:
    """How an attempt ended by the engine's own truth, whoever told or did not; None while it may still work.

    A result in S3 counts before all else; then whether who claimed the attempt still works, by Batch's word.
    """
    result_uri = row_prefix(row) + RESULT
    if s3.exists(result_uri):
        return Outcome(outcome="done", result_uri=result_uri)
    return _batch_outcome(row, now) if row.route is None else _ticket_outcome(row, now)


def _ticket_outcome(row: AttemptRow, now: datetime) -> Outcome | None:
    owner = claimant(row)
    if owner is None:
        sent = row.sent_at is not None or now - row.dispatched_at < SETTLING
        return None if sent else _failed(_lost("Its ticket was never sent."))
    failure = tickets.lost(row_prefix(row), owner, now)
    return _failed(failure) if failure else None


def _batch_outcome(row: AttemptRow, now: datetime) -> Outcome | None:
    young = now - row.dispatched_at < SETTLING
    batch_ids = sorted(row.batch_ids or ())
    if not batch_ids:
        return None if young else _failed(_lost("It never reached Batch."))
    known = [found for found in map(batch.describe, batch_ids) if found is not None]
    if not known:
        return None if young else _failed(_lost("Batch knows nothing of it."))
    owner = claimant(row)
    at_work = [found for found in known if owner in {None, found.id}]
    if any(not found.ended for found in at_work):
        return None
    return _failed(_of_batch(at_work[-1] if at_work else known[-1]))


def read_result(uri: str | None, job_id: str, run: int, attempt: int) -> Result | None:
    """What an attempt left (result.json or partial.json); None where there is none, or it is another attempt's."""
    text = s3.find(uri) if uri else None
    if not text:
        return None
    try:
        result = Result.model_validate_json(text)
    except ValidationError:
        return None
    return result if (result.job_id, result.run, result.attempt) == (job_id, run, attempt) else None


def stop_work(job_id: str, run: int, *, late: bool = False) -> None:
    """Stop what works on a run that has ended, and let its workflow end. Done twice, it changes nothing.

    late: it ran out of its time. Then the warm worker that was at it is ended too: it could not finish a picture in
    half an hour, and what else it has begun goes on elsewhere.
    """
    for row in store.attempts_of(job_id, run):
        if row.outcome is not None and row.outcome.outcome != "gone":
            continue
        stands = tables.retried(lambda row=row: store.close(row, GONE, clock.now()))  # type: ignore[misc]
        give_up(row, "the job has ended")
        if late and row.owner and row.started_at:
            batch.terminate(row.owner, "a picture did not end in its time")
        states.answer(row.task_token, stands.model_dump(mode="json"))


def give_up(row: AttemptRow, reason: str) -> None:
    """Whoever works on an attempt may stop. A warm worker goes on: it has other tickets."""
    if row.route is not None:
        tickets.mark_canceled(row_prefix(row))
    for batch_id in sorted(row.batch_ids or ()):
        batch.terminate(batch_id, reason)


def _failed(failure: Failure) -> Outcome:
    return Outcome(outcome="failed", failure=failure)


def _lost(why: str) -> Failure:
    return Failure(
        category=FailureCategory.transient,
        code="dispatch_lost",
        message=f"The work was lost on its way to a machine. {why}",
    )


def _of_batch(found: BatchJob) -> Failure:
    return failures.of_batch(found.status, found.exit_code, found.reason)
