"""From an order to a job: priced, held, written and told in one transaction."""

import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, TypeVar

from snapforge.assets.service import captures
from snapforge.aws import idempotency, outbox, tables
from snapforge.aws.idempotency import IdempotencyKey
from snapforge.aws.tables import org_pk
from snapforge.billing.service import ledger
from snapforge.jobs import errors, events, schemas, store, views
from snapforge.jobs.domain import deadlines, lifecycle, pricing
from snapforge.jobs.domain.lifecycle import IllegalMoveError, Lifecycle
from snapforge.jobs.domain.pricing import Price
from snapforge.jobs.domain.quotes import Quote
from snapforge.jobs.domain.requests import (
    MAX_SEED,
    ImageRequest,
    JobRequest,
    LoraParameters,
    LoraRequest,
    Parameters,
    SceneParameters,
)
from snapforge.jobs.service import adapters
from snapforge.jobs.service.submission import photo_checks, preflights, quote_tokens, resolve
from snapforge.jobs.store import IdempotencyRecord, JobRow, Outbox
from snapforge.kit import clock, ids
from snapforge.kit.errors import Problem
from snapforge.kit.permissions import Principal

T = TypeVar("T")


def create_job(
    principal: Principal, request: schemas.ImageCreate | schemas.SceneCreate | schemas.LoraCreate, key: IdempotencyKey
) -> schemas.Job:
    """Make a job. Two AWS calls, for a LoRA or a scene without a valid quote three more to read its capture, and one
    for each LoRA that pictures are drawn with.

    Raises ModelNotOffered, InsufficientCredits, AccountInDebt, CaptureNotFound, CaptureNotReady, CaptureNotUsable,
    LoraNotFound, LoraDeleted, LoraNotReady, LoraInTraining, LoraDoesNotFit; Replay for a known key.
    """
    now = clock.now()
    promise = quote_tokens.promised(principal.org_id, request, request.quote, now)
    fresh = _Fresh(ids.new("job"), ids.new("lora"), randomness.randbelow(MAX_SEED + 1))
    job_id = fresh.job_id

    def write() -> schemas.Job:
        parameters = _parameters(principal.org_id, request, promise, fresh)
        price = pricing.price(parameters)
        if promise is not None:
            price = Price(promise.credits, price.parts)
        job = JobRow(
            org_pk(principal.org_id),
            store.job_sk(job_id),
            id=job_id,
            org_id=principal.org_id,
            version=1,
            kind=request.kind,
            parameters=parameters,
            created_by=principal.actor,
            created_at=now,
            quoted=promise is not None,
        )
        _begin_run(job, Lifecycle(), price, now)
        tx = tables.Transaction()
        answer = _answer(tx, job, key, status=201)
        tx.put_new(job, failed=lambda _: RuntimeError(f"{job_id} exists already"))
        _bind(tx, job)
        tx.commit()
        return answer

    return _once(key, write)


def retry_job(principal: Principal, job_id: str, key: IdempotencyKey) -> schemas.Job:
    """Run a failed or canceled job again: a new run, with a new hold at today's price.

    Raises JobNotFound, JobNotRetryable, InsufficientCredits, AccountInDebt, CaptureNotReady, LoraNotFound, LoraDeleted,
    LoraInTraining; Replay for a known key.
    """

    def write() -> schemas.Job:
        job = store.find_job(principal.org_id, job_id)
        if job is None:
            raise errors.JobNotFound()
        try:
            again = lifecycle.restart(job.lifecycle())
        except IllegalMoveError as error:
            raise errors.JobNotRetryable(f"The job is {job.state}.") from error
        job.quoted = False
        _begin_run(job, again, pricing.price(job.parameters), clock.now())
        tx = tables.Transaction()
        answer = _answer(tx, job, key, status=200)
        tx.put_changed(job)
        _bind(tx, job)
        tx.commit()
        return answer

    return _once(key, write)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What is drawn by lot for an order, once, so that a second try of its transaction is the same."""

    job_id: str
    lora_id: str
    seed: int


def _parameters(org_id: str, request: JobRequest, promise: Quote | None, fresh: _Fresh) -> Parameters:
    if isinstance(request, ImageRequest):
        return resolve.image_parameters(org_id, request, fresh.seed)
    if isinstance(request, LoraRequest):
        capture = photo_checks.ready_capture(org_id, request)
        photo_checks.refuse_blocked(photo_checks.examine(capture, request))
        return resolve.training_parameters(org_id, request, capture, fresh.lora_id)
    if promise is not None and promise.capture_version is not None and promise.photos is not None:
        return resolve.scene_parameters(request, version=promise.capture_version, photos=promise.photos)
    capture = photo_checks.ready_capture(org_id, request)
    survey = preflights.known(org_id, capture)
    seen = photo_checks.connections(capture, survey) if survey else []
    photo_checks.refuse_blocked(photo_checks.examine(capture, request) + seen)
    return resolve.scene_parameters(request, version=capture.version, photos=len(capture.usable))


def _begin_run(job: JobRow, now_living: Lifecycle, price: Price, now: datetime) -> None:
    """Set what a new run starts with; what the last one left is cleared."""
    job.apply(now_living)
    job.hold_id = ids.new("hold")
    job.credits, job.parts = price.credits, price.parts
    job.predicted_seconds = pricing.predicted_seconds(job.parameters)
    job.queued_at = now
    job.deadline = now + deadlines.limits(job.parameters).queue
    job.deadline_shard = deadlines.shard(job.id)
    job.deadline_at = deadlines.next_look(now, job.deadline)
    job.spent = []
    job.queued_since = job.started_at = job.ended_at = None
    job.charged = job.failure = job.results = job.receipt = None


def _answer(tx: tables.Transaction, job: JobRow, key: IdempotencyKey, *, status: int) -> schemas.Job:
    """Put the idempotency record first, so that of all refusals a replay speaks first; returns the answer it holds."""
    answer = views.job(job, None)
    headers = {"location": f"/v1/jobs/{job.id}"} if status == 201 else {}
    body = answer.model_dump_json(exclude_none=True)
    idempotency.put(tx, IdempotencyRecord, key, status=status, body=body, headers=headers)
    return answer


def _bind(tx: tables.Transaction, job: JobRow) -> None:
    """Add the hold, the checks of LoRAs and capture, and the event."""
    ledger.hold(
        tx,
        org_id=job.org_id,
        hold_id=job.hold_id,
        credits=job.credits,
        key=f"job:{job.id}:{job.run}:hold",
        memo=views.memo(job),
    )
    adapters.bind(tx, job)
    if isinstance(job.parameters, SceneParameters | LoraParameters):
        captures.require_ready_capture(tx, job.org_id, job.parameters.capture_id, job.parameters.capture_version)
    outbox.put(tx, Outbox, events.started(job))


def _once(key: IdempotencyKey, write: Callable[[], T]) -> T:
    try:
        return tables.retried(write)
    except Problem as problem:
        _refuse(key, problem)


def _refuse(key: IdempotencyKey, problem: Problem) -> NoReturn:
    # What refuses now (credits, the job's state) may be what the first request did: then it is to be replayed.
    idempotency.recall(IdempotencyRecord, key)
    raise problem
