"""Rows of the table `jobs`.

Access patterns                                    key
  a job and its progress, of an org (one Query)    pk org#<org>    sk job#<job>, job#<job>#progress
  jobs of an org, newest first                     pk org#<org>    sk job#…, backwards; progress items lie between
  a preview of an org                              pk org#<org>    sk preview#<preview>
  the pre-flight of a capture at a version         pk org#<org>    sk preflight#<capture>#<version>
  an attempt, when a worker reports                pk job#<job>    sk attempt#<run>#<attempt>
  unfinished jobs that are due for a look          index `deadline`: deadline_shard, deadline_at
  attempts that wait in a queue of tickets,        index `place`: place images-<priority>, placed_at
    oldest first: depth, age, position
  attempts that a warm worker is at                index `place`: place worker-<Batch id>
  what the keeper of workers has last decided      pk fleet#images  sk fleet: `decisions`
  idempotency record                               pk idem#<org>#…
  outbox                                           pk outbox#<event>, index `unsent`

The job row is the truth about a run. Every decision on it is written on the condition that its `version` is the one
that was read. Progress is an item of its own, written often and without conditions on the job; it lives from a
worker's first report to the end of the run, so that a late report finds nothing to change.

A queue's partition of `place` takes a thousand changes a second, 500 pictures: far beyond what workers draw.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar, cast

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, IncludeProjection

from snapforge.aws import idempotency, lists, outbox, tables
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute, Typed
from snapforge.aws.tables import org_pk
from snapforge.contracts.preflight import Survey
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs.domain.deadlines import SHARDS
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.lifecycle import JobState, Lifecycle
from snapforge.jobs.domain.progress import ProgressSnapshot
from snapforge.jobs.domain.receipts import Receipt, Spent
from snapforge.jobs.domain.requests import JobRequest, KeptParameters
from snapforge.jobs.domain.results import Results
from snapforge.jobs.domain.workflow import Outcome

T = TypeVar("T")


class DeadlineIndex(GlobalSecondaryIndex["JobRow"]):  # type: ignore[no-untyped-call]
    """Unfinished jobs, by when the sweeper has to look."""

    class Meta:
        index_name = "deadline"
        projection = AllProjection()

    deadline_shard = UnicodeAttribute(hash_key=True)
    deadline_at = TimestampAttribute(range_key=True)


class PlaceIndex(GlobalSecondaryIndex["AttemptRow"]):  # type: ignore[no-untyped-call]
    """Open attempts without a Batch job of their own, by where they are and since when."""

    class Meta:
        index_name = "place"
        # `cls`, because a query of one kind of row filters by it.
        projection = IncludeProjection(["cls", "drawing_ms"])

    place = UnicodeAttribute(hash_key=True)
    placed_at = TimestampAttribute(range_key=True)


class JobsRow(tables.Row):
    """The base of this table's rows."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "jobs"


class JobRow(JobsRow, discriminator="Job"):
    """A job. `run…` attributes are of the current run; `order` is what was asked, without seed and size filled in."""

    id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    version = IntegerAttribute()
    kind = UnicodeAttribute()
    parameters = Typed[KeptParameters](KeptParameters)
    created_by = UnicodeAttribute()
    created_at = TimestampAttribute()

    state = UnicodeAttribute()
    run = IntegerAttribute()
    attempt = IntegerAttribute()
    reduced = BooleanAttribute()
    failed = Typed[tuple[FailureCategory, ...]](tuple[FailureCategory, ...])
    recovery = IntegerAttribute()

    hold_id = UnicodeAttribute()
    credits = IntegerAttribute()
    parts = IntegerAttribute()
    quoted = BooleanAttribute()
    predicted_seconds = IntegerAttribute()
    queued_at = TimestampAttribute()
    queued_since = TimestampAttribute(null=True)
    """When the current attempt came into its queue of tickets; its position is counted from there."""
    started_at = TimestampAttribute(null=True)
    ended_at = TimestampAttribute(null=True)
    deadline = TimestampAttribute(null=True)
    deadline_shard = UnicodeAttribute(null=True)
    deadline_at = TimestampAttribute(null=True)
    """When the sweeper looks: at the deadline at the latest. Absent once the job has ended."""
    spent = Typed[list[Spent]](list[Spent])

    charged = IntegerAttribute(null=True)
    failure = Typed[Failure](Failure, null=True)
    results = Typed[Results](Results, null=True)
    receipt = Typed[Receipt](Receipt, null=True)
    by_deadline = DeadlineIndex()

    def lifecycle(self) -> Lifecycle:
        """What decides about it."""
        return Lifecycle(
            state=JobState(self.state),
            run=self.run,
            attempt=self.attempt,
            reduced=self.reduced,
            failed=self.failed,
            recovery=self.recovery,
        )

    def apply(self, life: Lifecycle) -> None:
        """Take over what was decided."""
        self.state = life.state.value
        self.run = life.run
        self.attempt = life.attempt
        self.reduced = life.reduced
        self.failed = life.failed
        self.recovery = life.recovery


class ProgressRow(JobsRow, discriminator="Progress"):
    """The latest progress of a run, while a worker is at it."""

    run = IntegerAttribute()
    attempt = IntegerAttribute()
    percent = IntegerAttribute()
    floor = IntegerAttribute()
    stage = UnicodeAttribute()
    message = UnicodeAttribute()
    eta_seconds = IntegerAttribute(null=True)
    at = TimestampAttribute()

    def snapshot(self) -> ProgressSnapshot:
        """As the domain knows it."""
        return ProgressSnapshot(
            attempt=self.attempt,
            percent=self.percent,
            floor=self.floor,
            stage=self.stage,
            eta_seconds=None if self.eta_seconds is None else self.eta_seconds,
            at=self.at,
        )


class AttemptRow(JobsRow, discriminator="Attempt"):
    """One try of the engine. `outcome` is there once it has ended, and never changes then."""

    org_id = UnicodeAttribute()
    job_id = UnicodeAttribute()
    run = IntegerAttribute()
    attempt = IntegerAttribute()
    task_token = UnicodeAttribute()
    batch_ids = UnicodeSetAttribute(null=True)
    """Batch's ids of it: more than one after a doubled dispatch; the one in claim.json works, the others leave."""
    route = UnicodeAttribute(null=True)
    """Who draws it, by `routing`; absent for what is a Batch job of its own."""
    sent_at = TimestampAttribute(null=True)
    """When its ticket was on the queue."""
    owner = UnicodeAttribute(null=True)
    """Who holds the claim of a ticket: the warm worker's Batch id. It may work for others too."""
    drawing_ms = IntegerAttribute(null=True)
    place = UnicodeAttribute(null=True)
    placed_at = TimestampAttribute(null=True)
    """In the index `place` until it ends."""
    dispatched_at = TimestampAttribute()
    started_at = TimestampAttribute(null=True)
    ended_at = TimestampAttribute(null=True)
    outcome = Typed[Outcome](Outcome, null=True)
    by_place = PlaceIndex()


class PreviewRow(JobsRow, discriminator="Preview"):
    """An order whose capture was still being checked."""

    id = UnicodeAttribute()
    request = Typed[JobRequest](JobRequest)


class PreflightRow(JobsRow, discriminator="Preflight"):
    """What a pre-flight saw of a capture at one version: `survey` once it is done, `failure` when it failed."""

    asked_at = TimestampAttribute()
    survey = Typed[Survey](Survey, null=True)
    failure = UnicodeAttribute(null=True)


class IdempotencyRecord(idempotency.IdempotencyRow, discriminator="Idempotency"):
    """Answers of POST /v1/jobs and of retries."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "jobs"


class Outbox(outbox.OutboxRow, discriminator="Outbox"):
    """Events of this context."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "jobs"


def job_sk(job_id: str) -> str:
    return f"job#{job_id}"


def progress_sk(job_id: str) -> str:
    return f"job#{job_id}#progress"


def preview_sk(preview_id: str) -> str:
    return f"preview#{preview_id}"


def preflight_sk(capture_id: str, version: int) -> str:
    return f"preflight#{capture_id}#{version:06d}"


def attempt_pk(job_id: str) -> str:
    return f"job#{job_id}"


def attempt_sk(run: int, attempt: int) -> str:
    return f"attempt#{run:04d}#{attempt:04d}"


def find_job(org_id: str, job_id: str) -> JobRow | None:
    """One GetItem."""
    return tables.find(JobRow, org_pk(org_id), job_sk(job_id))


def find_job_with_progress(org_id: str, job_id: str) -> tuple[JobRow, ProgressRow | None] | None:
    """One Query."""
    job: JobRow | None = None
    progress: ProgressRow | None = None
    for row in JobsRow.query(org_pk(org_id), JobsRow.sk.startswith(job_sk(job_id)), consistent_read=True):
        if isinstance(row, JobRow) and row.id == job_id:
            job = row
        elif isinstance(row, ProgressRow) and row.sk == progress_sk(job_id):
            progress = row
    return (job, progress) if job else None


def find_attempt(job_id: str, run: int, attempt: int) -> AttemptRow | None:
    """One GetItem."""
    return tables.find(AttemptRow, attempt_pk(job_id), attempt_sk(run, attempt))


def attempts_of(job_id: str, run: int) -> list[AttemptRow]:
    """All attempts of a run, first to last. One Query."""
    return list(
        AttemptRow.query(attempt_pk(job_id), AttemptRow.sk.startswith(f"attempt#{run:04d}#"), consistent_read=True)
    )


def newest_first(org_id: str, cursor: str | None, page_size: int) -> Iterator[tuple[JobRow, ProgressRow | None]]:
    """Jobs of an org with their progress, backwards from the cursor. Reads pages as it is consumed. InvalidCursor."""
    progress: ProgressRow | None = None
    for row in lists.newest_first(JobsRow, org_pk(org_id), prefix="job#", cursor=cursor, page_size=page_size):
        if isinstance(row, ProgressRow):
            progress = row
        elif isinstance(row, JobRow):
            mine = progress is not None and progress.sk == progress_sk(row.id)
            yield row, progress if mine else None
            progress = None


def due(now: datetime, limit: int) -> Iterator[tuple[str, str]]:
    """Keys of unfinished jobs whose look is due, at most `most` a shard."""
    for shard in range(SHARDS):
        for row in JobRow.by_deadline.query(str(shard), JobRow.deadline_at <= now, limit=limit):
            yield row.pk, row.sk


def in_place(place: str, until: datetime | None = None, *, limit: int) -> list[AttemptRow]:
    """Attempts in a place, longest there first, at most `most`: keys, placed_at, drawing_ms. One Query of an index."""
    upto = AttemptRow.placed_at <= until if until else None
    return list(AttemptRow.by_place.query(place, upto, limit=limit))


def unfinished(run: int, attempt: int) -> Condition:
    """That a job row still awaits this run and attempt."""
    going = JobRow.state.is_in(JobState.queued.value, JobState.running.value)
    wanted: Condition = (JobRow.run == run) & (JobRow.attempt == attempt) & going
    return wanted


def close(row: AttemptRow, outcome: Outcome, at: datetime) -> Outcome:
    """Note how an attempt ended, unless that is known already; returns what stands. The first to tell is believed."""
    try:
        row.update(
            actions=[
                AttemptRow.outcome.set(outcome),
                AttemptRow.ended_at.set(at),
                AttemptRow.place.remove(),
                AttemptRow.placed_at.remove(),
            ],
            condition=AttemptRow.pk.exists() & AttemptRow.outcome.does_not_exist(),
        )
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        row.refresh(consistent_read=True)
    if row.outcome is None:
        raise tables.Stale
    return row.outcome


def change_open_attempt(row: AttemptRow, *actions: Action) -> bool:
    """Change an attempt that has not ended; False when it has."""
    try:
        row.update(actions=list(actions), condition=AttemptRow.pk.exists() & AttemptRow.outcome.does_not_exist())
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def save_progress(org_id: str, job_id: str, snapshot: ProgressSnapshot, *, run: int, message: str) -> bool:
    """Replace the progress of an attempt, unless it has ended or told of more (False). One UpdateItem."""
    row = ProgressRow(org_pk(org_id), progress_sk(job_id))
    actions: list[Action] = [
        ProgressRow.percent.set(snapshot.percent),
        ProgressRow.stage.set(snapshot.stage),
        ProgressRow.message.set(message),
        ProgressRow.at.set(snapshot.at),
        ProgressRow.eta_seconds.remove()
        if snapshot.eta_seconds is None
        else ProgressRow.eta_seconds.set(snapshot.eta_seconds),
    ]
    current = (ProgressRow.run == run) & (ProgressRow.attempt == snapshot.attempt)
    try:
        row.update(actions=actions, condition=current & (ProgressRow.percent <= snapshot.percent))
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _set_or_remove(attribute: Any, value: Any) -> Action:
    return cast(Action, attribute.remove() if value is None else attribute.set(value))


def look_later(job: JobRow, at: datetime) -> bool:
    """Move the sweeper's next look; False when the job has ended or another sweep has moved it. One UpdateItem."""
    try:
        job.update(actions=[JobRow.deadline_at.set(at)], condition=JobRow.deadline_at == job.deadline_at)
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True
