"""The end of a run: state, money, results and event in one transaction. Whoever comes second finds it done."""

from dataclasses import dataclass, field

from snapforge.assets.service import results as asset_results
from snapforge.aws import outbox, tables
from snapforge.aws.tables import org_pk
from snapforge.billing import errors as billing_errors
from snapforge.billing.service import ledger
from snapforge.jobs import errors, events, schemas, store, views
from snapforge.jobs.domain import lifecycle, receipts
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.pricing import Price
from snapforge.jobs.domain.requests import LoraParameters
from snapforge.jobs.domain.results import Delivered, Results
from snapforge.jobs.domain.settlement import CANCELED, Settlement, decide
from snapforge.jobs.domain.workflow import SettleAnswer, SettleCall
from snapforge.jobs.service import adapters
from snapforge.jobs.service.runs import attempts, costs
from snapforge.jobs.service.runs.attempts import prefix_uri
from snapforge.jobs.store import JobRow, Outbox, ProgressRow
from snapforge.kit import clock
from snapforge.kit.permissions import Principal
from snapforge.loras.domain import Trained


@dataclass(frozen=True, slots=True)
class _Published:
    """What a run's files became, before the transaction that registers them. `prefix`: where they lay."""

    prefix: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    """Name → key in the assets bucket."""
    trained: Trained | None = None


def settle(call: SettleCall) -> SettleAnswer:
    """End the run as its outcome says: capture and register, or release and explain.

    Changes nothing for a run that has ended, or for an attempt that another one has followed. What the attempt left is
    read and copied once, however often the transaction has to be decided again.
    """
    job = _awaiting(call)
    if job is None or call.outcome.outcome == "gone":
        return _answer(call)
    result = attempts.read_result(call.outcome.left_at, call.job_id, call.run, call.attempt)
    settlement = decide(call.outcome, result, kind=job.parameters.kind, price=Price(job.credits, job.parts))
    published = _publish(job, settlement)

    def write() -> SettleAnswer:
        current = _awaiting(call)
        if current is None:
            return _answer(call)
        _end_run(current, settlement, published)
        return SettleAnswer(state=current.state)

    return tables.retried(write)


def cancel_job(principal: Principal, job_id: str) -> schemas.Job:
    """End a job now, whatever it does: all of its hold is released. Canceling it again changes nothing.

    What still works for it is stopped by the event of this. JobNotFound, JobAlreadyEnded.
    """

    def write() -> schemas.Job:
        job = store.find_job(principal.org_id, job_id)
        if job is None:
            raise errors.JobNotFound()
        if job.state == JobState.canceled:
            return views.job(job, None)
        if job.lifecycle().final:
            raise errors.JobAlreadyEnded(f"The job has {job.state}.", charged=job.charged or 0)
        _end_run(job, CANCELED, _Published())
        return views.job(job, None)

    return tables.retried(write)


def _awaiting(call: SettleCall) -> JobRow | None:
    """The job, if it awaits this run and attempt."""
    job = store.find_job(call.org_id, call.job_id)
    return job if job is not None and job.lifecycle().awaits(call.run, call.attempt) else None


def _answer(call: SettleCall) -> SettleAnswer:
    job = store.find_job(call.org_id, call.job_id)
    return SettleAnswer(state=job.state if job else "gone")


def _publish(job: JobRow, settlement: Settlement) -> _Published:
    """Copy what the customer gets to where it stays. Twice writes the same bytes to the same keys."""
    if not settlement.files and settlement.state is not JobState.succeeded:
        return _Published()
    prefix = prefix_uri(job.id, job.run, job.attempt)
    keys = asset_results.publish_results(settlement.files, prefix)
    trained = None
    if settlement.state is JobState.succeeded and settlement.result and isinstance(job.parameters, LoraParameters):
        trained = adapters.keep(job.parameters, settlement.result, prefix)
    return _Published(prefix, keys, trained)


def _end_run(job: JobRow, settlement: Settlement, published: _Published) -> None:
    """Write the end. Stale when the job has changed since it was read."""
    now = clock.now()
    job.apply(lifecycle.end(job.lifecycle(), settlement.state))
    job.ended_at = now
    job.deadline = job.deadline_at = job.deadline_shard = None
    job.charged = settlement.charged
    job.failure = settlement.failure
    if settlement.result is not None:
        job.started_at = job.started_at or settlement.result.usage.started_at
        job.spent = [*job.spent, receipts.of_usage(job.attempt, settlement.result.usage)]
    elif (attempt := store.find_attempt(job.id, job.run, job.attempt)) is not None:
        job.spent = [*job.spent, *costs.spent_by(attempt, now)]
    job.receipt = costs.receipt(job)
    tx = tables.Transaction()
    # First, because the job's row keeps the ids.
    job.results = _register(tx, job, settlement, published)
    tx.put_changed(job)
    _release(tx, job, settlement.charged)
    preview = job.results.preview if job.results else None
    adapters.end(tx, job, published.trained, settlement.result, preview)
    tx.delete(
        ProgressRow(org_pk(job.org_id), store.progress_sk(job.id)),
        failed=lambda _: RuntimeError("a deletion without a condition failed"),
    )
    outbox.put(tx, Outbox, events.ended(job))
    tx.commit()


def _release(tx: tables.Transaction, job: JobRow, charged: int) -> None:
    try:
        ledger.settle(
            tx,
            org_id=job.org_id,
            hold_id=job.hold_id,
            capture=charged,
            key=f"job:{job.id}:{job.run}:settle",
            memo=views.memo(job),
        )
    except billing_errors.HoldEnded as error:
        # The hold and the run end together: somebody ended both since the job was read.
        raise tables.Stale from error


def _register(tx: tables.Transaction, job: JobRow, settlement: Settlement, published: _Published) -> Results | None:
    """Add the files to `tx` as assets; what the job's row keeps of them."""
    if settlement.result is None or not settlement.files:
        return None
    asset_ids = asset_results.register_results(
        tx,
        org_id=job.org_id,
        job_id=job.id,
        kind=job.kind,
        files=settlement.files,
        prefix_uri=published.prefix,
        parameters=job.parameters.model_dump(mode="json"),
    )
    return Results(
        files=[
            Delivered(**file.model_dump(), asset_id=asset_id, key=published.keys[file.name])
            for file, asset_id in zip(settlement.files, asset_ids, strict=True)
        ],
        engine=settlement.result.engine,
        model=settlement.result.model,
        quality=settlement.result.quality,
        lora=settlement.result.lora,
        notes=list(settlement.result.notes),
    )
