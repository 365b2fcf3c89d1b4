"""What workers and Batch report of attempts. Reported twice, late or out of order, it changes nothing that stands."""

import re
from contextlib import suppress
from datetime import datetime

from pynamodb.expressions.update import Action

from snapforge.aws import states, tables
from snapforge.aws.tables import org_pk
from snapforge.contracts.reports import Done, Failed, Progress
from snapforge.contracts.tickets import RESULT, Ticket
from snapforge.jobs import store
from snapforge.jobs.domain import deadlines, failures, fleet, lifecycle, locations
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.progress import ProgressSnapshot
from snapforge.jobs.domain.progress import floor as floor_of
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service.runs import attempts, costs
from snapforge.jobs.store import AttemptRow, JobRow, ProgressRow
from snapforge.kit import clock

MAX_AT_WORK = 100
"""Attempts that one warm worker may have begun; a micro-batch has a dozen."""
_BATCH_NAME = re.compile(r"(job_[0-9A-Z]{26})-(\d+)-(\d+)")


def take_report(report: Progress | Done | Failed) -> None:
    """One message of the queue `reports`."""
    row = store.find_attempt(report.job_id, report.run, report.attempt)
    if row is None:
        return
    if not _ours(row, report):
        _not_owner(row, report)
    elif isinstance(report, Progress):
        _progressed(row, report)
    else:
        _ended(row, report)


def take_batch_state(batch_job_id: str, name: str) -> None:
    """A Batch job has ended a minute ago. Covers workers that died without a word."""
    if name == fleet.WORKER:
        _worker_ended(batch_job_id)
        return
    found = _BATCH_NAME.fullmatch(name)
    row = store.find_attempt(found[1], int(found[2]), int(found[3])) if found else None
    if row is None or row.outcome is not None:
        return
    # Not from the event: it may be of the one of two Batch jobs that found the attempt claimed.
    ended = attempts.observed_outcome(row, clock.now())
    if ended is not None:
        attempts.report_outcome(row, ended)


def take_dead_ticket(ticket: Ticket) -> None:
    """A ticket that was given out five times and never done with.

    One that nobody has begun fails its attempt. One that somebody is at is a double: the sweeper watches the attempt.
    """
    row = store.find_attempt(ticket.job_id, ticket.run, ticket.attempt)
    if row is None or row.outcome is not None:
        return
    ended = attempts.observed_outcome(row, clock.now())
    if ended is None and attempts.claimant(row) is None:
        ended = Outcome(outcome="failed", failure=failures.undelivered())
    if ended is not None:
        attempts.report_outcome(row, ended)


def _worker_ended(batch_id: str) -> None:
    """What a warm worker had begun and not told of is given to others."""
    for at in store.in_place(locations.worker(batch_id), limit=MAX_AT_WORK):
        row = tables.find(AttemptRow, at.pk, at.sk)
        ended = attempts.observed_outcome(row, clock.now()) if row is not None and row.outcome is None else None
        if row is not None and ended is not None:
            attempts.report_outcome(row, ended)


def _ours(row: AttemptRow, report: Progress | Done | Failed) -> bool:
    """Whether the reporter works for this attempt. A fast worker reports before Dispatch has noted its id."""
    if report.batch_job_id in (row.batch_ids or ()) or report.batch_job_id == row.owner:
        return True
    if attempts.claimant(row) != report.batch_job_id:
        return False
    if row.route is None:
        store.change_open_attempt(row, AttemptRow.batch_ids.add({report.batch_job_id}))
    else:
        store.change_open_attempt(row, AttemptRow.owner.set(report.batch_job_id))
        row.owner = report.batch_job_id
    return True


def _not_owner(row: AttemptRow, report: Progress | Done | Failed) -> None:
    """Another worker met the claim of a silent one. Its word is a hint: what it tells is looked up."""
    if isinstance(report, Failed) and row.route is not None and row.outcome is None:
        ended = attempts.observed_outcome(row, clock.now())
        if ended is not None:
            attempts.report_outcome(row, ended)


def _progressed(row: AttemptRow, report: Progress) -> None:
    if row.outcome is not None:
        return
    snapshot = ProgressSnapshot(
        attempt=report.attempt,
        percent=int(report.percent),
        floor=0,
        stage=report.stage,
        eta_seconds=report.eta_seconds,
        at=report.at,
    )
    if row.started_at is None:
        _begin(row, snapshot)
    store.save_progress(row.org_id, row.job_id, snapshot, run=report.run, message=report.message[:500])


def _ended(row: AttemptRow, report: Done | Failed) -> None:
    if row.outcome is None:
        attempts.report_outcome(row, _outcome(row, report))
    else:
        # Reported before, perhaps by this very message: the workflow may not have heard it.
        states.answer(row.task_token, row.outcome.model_dump(mode="json"))
    if uri := _left_at(row, report):
        # A cancel may have ended the run before, whose event has not reached the attempt yet.
        costs.note_late(row, uri)


def _outcome(row: AttemptRow, report: Done | Failed) -> Outcome:
    uri = _left_at(row, report)
    if isinstance(report, Done):
        return Outcome(outcome="done", result_uri=uri)
    return Outcome(
        outcome="failed",
        failure=Failure(
            category=report.category, code=report.code, message=report.message, fix=report.fix, result_uri=uri
        ),
    )


def _left_at(row: AttemptRow, report: Done | Failed) -> str | None:
    """Where what it left lies: only ever below the attempt's own prefix."""
    prefix = attempts.row_prefix(row)
    if isinstance(report, Done):
        return prefix + RESULT
    return report.result_uri if report.result_uri and report.result_uri.startswith(prefix) else None


def _begin(row: AttemptRow, snapshot: ProgressSnapshot) -> None:
    """A worker has begun: the job runs, its clock starts, its progress can be told. A second call changes nothing."""

    def write() -> None:
        job = store.find_job(row.org_id, row.job_id)
        if job is None or not job.lifecycle().awaits(row.run, row.attempt):
            return
        now = clock.now()
        before = tables.find(ProgressRow, org_pk(job.org_id), store.progress_sk(job.id))
        earlier = before.snapshot() if before is not None and before.run == row.run else None
        if earlier is not None and earlier.attempt == row.attempt:
            return
        job.apply(lifecycle.begin(job.lifecycle()))
        job.started_at = job.started_at or now
        job.deadline = now + deadlines.limits(job.parameters).run
        job.deadline_at = deadlines.next_look(now, job.deadline)
        tx = tables.Transaction()
        tx.put_changed(job)
        tx.put(_progress(job, row, snapshot, floor_of(earlier)), failed=lambda _: tables.Stale())
        tx.update(
            AttemptRow(row.pk, row.sk),
            _started(row, now),
            AttemptRow.pk.exists() & AttemptRow.outcome.does_not_exist(),
            failed=_Ended,
        )
        with suppress(_Ended):
            tx.commit()

    tables.retried(write)


def _started(row: AttemptRow, now: datetime) -> list[Action]:
    actions: list[Action] = [AttemptRow.started_at.set(now)]
    if row.place is not None and row.owner is not None:
        actions += [AttemptRow.place.set(locations.worker(row.owner)), AttemptRow.placed_at.set(now)]
    return actions


class _Ended(Exception):
    """The attempt has ended meanwhile."""


def _progress(job: JobRow, row: AttemptRow, snapshot: ProgressSnapshot, floor: int) -> ProgressRow:
    return ProgressRow(
        org_pk(job.org_id),
        store.progress_sk(job.id),
        run=row.run,
        attempt=row.attempt,
        percent=snapshot.percent,
        floor=floor,
        stage=snapshot.stage,
        message="",
        eta_seconds=snapshot.eta_seconds,
        at=snapshot.at,
    )
