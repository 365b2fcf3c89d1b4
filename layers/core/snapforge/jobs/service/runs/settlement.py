"""The end of a run: state, money, results and news in one transaction. Whoever comes second finds it done."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from snapforge.assets.service import results
from snapforge.aws import outbox, tables
from snapforge.billing import errors as billing_errors
from snapforge.billing.service import ledger
from snapforge.contracts.reports import FailureCategory
from snapforge.contracts.results import Result, ResultFile, Role
from snapforge.jobs import errors, events, schemas, store, views
from snapforge.jobs.domain import failures, lifecycle, receipts
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.pricing import Price
from snapforge.jobs.domain.requests import Kind, LoraParameters
from snapforge.jobs.domain.results import Delivered, Results
from snapforge.jobs.domain.workflow import Outcome, SettleAnswer, SettleCall
from snapforge.jobs.service import adapters
from snapforge.jobs.service.runs import attempts, costs
from snapforge.jobs.service.runs.attempts import prefix_uri
from snapforge.jobs.store import JobRow, Outbox, ProgressRow
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal
from snapforge.loras.domain import Trained

_PRODUCT: dict[Kind, Role] = {"image": "picture", "scene": "model_glb", "lora": "adapter"}
"""The role of the files that are paid for."""


@dataclass
class _End:
    """How a run ends. `files` lie below `prefix`, their copies at `keys`; `trained` is what a training left."""

    state: JobState
    failure: Failure | None = None
    result: Result | None = None
    files: Sequence[ResultFile] = ()
    prefix: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    charged: int = 0
    trained: Trained | None = None


def settle(call: SettleCall) -> SettleAnswer:
    """End the run as its outcome says: capture and register, or release and explain.

    Changes nothing for a run that has ended, or for an attempt that another one has followed.
    """

    def write() -> SettleAnswer:
        job = store.find_job(call.org_id, call.job_id)
        if job is None or not job.lifecycle().awaits(call.run, call.attempt) or call.outcome.outcome == "gone":
            return SettleAnswer(state=job.state if job else "gone")
        _end_run(job, _decide(job, call.outcome))
        return SettleAnswer(state=job.state)

    return tables.retried(write)


def cancel_job(principal: Principal, job_id: str) -> schemas.Job:
    """End a job now, whatever it does: all of its hold is released. Canceling it again changes nothing.

    What still works for it is stopped by the news of this. JobNotFound, JobAlreadyEnded.
    """
    if not ids.is_id(job_id, "job"):
        raise errors.JobNotFound()

    def write() -> schemas.Job:
        job = store.find_job(principal.org_id, job_id)
        if job is None:
            raise errors.JobNotFound()
        if job.state == JobState.canceled:
            return views.job(job, None)
        if job.lifecycle().final:
            raise errors.JobAlreadyEnded(f"The job has {job.state}.", charged=int(job.charged or 0))
        _end_run(job, _End(JobState.canceled))
        return views.job(job, None)

    return tables.retried(write)


def _decide(job: JobRow, outcome: Outcome) -> _End:
    if outcome.outcome == "done" and outcome.result_uri:
        return _done(job, outcome.result_uri)
    failure = outcome.failure or failures.lost()
    end = _End(JobState.failed, failure)
    if failure.result_uri:
        end.result = _read(job, failure.result_uri)
        if end.result and failure.category is FailureCategory.insufficient_quality:
            _publish(job, end, end.result)
    return end


def _done(job: JobRow, uri: str) -> _End:
    result = _read(job, uri)
    if result is None:
        return _End(JobState.failed, _broken("result_unreadable", "The result could not be read."))
    delivered = _delivered(job, result)
    if not delivered:
        return _End(JobState.failed, _broken("nothing_delivered", "The render left no result."), result)
    end = _End(JobState.succeeded, result=result, charged=Price(int(job.credits), int(job.parts)).charge(delivered))
    _publish(job, end, result)
    if isinstance(job.parameters, LoraParameters):
        end.trained = adapters.keep(job.parameters, result, end.prefix)
    return end


def _read(job: JobRow, uri: str) -> Result | None:
    """result.json of the current attempt; None where there is none, or it is another's."""
    return attempts.read_result(uri, job.id, int(job.run), int(job.attempt))


def _delivered(job: JobRow, result: Result) -> int:
    return sum(file.role == _PRODUCT[job.parameters.kind] for file in result.files)


def _publish(job: JobRow, end: _End, result: Result) -> None:
    end.prefix = prefix_uri(job.id, int(job.run), int(job.attempt))
    end.files = adapters.assets_of(result.files)
    end.keys = results.publish_results(end.files, end.prefix)


def _broken(code: str, message: str) -> Failure:
    return Failure(
        category=FailureCategory.bug, code=code, message=f"{message} We have been told.", fix="Retry the job."
    )


def _end_run(job: JobRow, end: _End) -> None:
    """Write the end. Stale when the job has changed since it was read."""
    now = clock.now()
    job.apply(lifecycle.end(job.lifecycle(), end.state))
    job.ended_at = now
    job.deadline = job.deadline_at = job.deadline_shard = None
    job.charged = end.charged
    job.failure = end.failure
    if end.result is not None:
        job.started_at = job.started_at or end.result.usage.started_at
        job.spent = [*job.spent, receipts.of_usage(int(job.attempt), end.result.usage)]
    elif (attempt := store.find_attempt(job.id, int(job.run), int(job.attempt))) is not None:
        job.spent = [*job.spent, *costs.spent_by(attempt, now)]
    job.receipt = costs.receipt(job)
    tx = tables.Transaction()
    # First, because the job's row keeps the ids.
    job.results = _results(end, _register(tx, job, end))
    store.put_changed(tx, job)
    _release(tx, job, end.charged)
    adapters.end(tx, job, end.trained, end.result, job.results.preview if job.results else None)
    tx.delete(
        ProgressRow(store.org_pk(job.org_id), store.progress_sk(job.id)),
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
            key=f"job:{job.id}:{int(job.run)}:settle",
            memo=views.memo(job),
        )
    except billing_errors.HoldEnded as error:
        # The hold and the run end together: somebody ended both since the job was read.
        raise tables.Stale from error


def _register(tx: tables.Transaction, job: JobRow, end: _End) -> list[str]:
    if not end.files:
        return []
    return results.register_results(
        tx,
        org_id=job.org_id,
        job_id=job.id,
        kind=job.kind,
        files=end.files,
        prefix_uri=end.prefix,
        parameters=job.parameters.model_dump(mode="json"),
    )


def _results(end: _End, asset_ids: list[str]) -> Results | None:
    if end.result is None or not end.files:
        return None
    return Results(
        files=[
            Delivered(**file.model_dump(), asset_id=asset_id, key=end.keys[file.name])
            for file, asset_id in zip(end.files, asset_ids, strict=True)
        ],
        engine=end.result.engine,
        model=end.result.model,
        quality=end.result.quality,
        lora=end.result.lora,
        notes=list(end.result.notes),
    )
