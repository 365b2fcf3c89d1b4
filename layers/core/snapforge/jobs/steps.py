"""The workflow's steps Check, Dispatch and Classify; Settle is in `ending`. Each may run twice, and late."""

import random

from snapforge.assets import errors as assets_errors
from snapforge.assets import service as assets
from snapforge.aws import batch, s3, settings, states, tables
from snapforge.contracts.manifest import ImageWork, Manifest, Photo, SceneWork
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import attempts, store
from snapforge.jobs.attempts import GONE, prefix_uri
from snapforge.jobs.domain import deadlines, failures, life, pictures, receipts, shares
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.orders import ImageParameters, SceneParameters
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.jobs.workflow import (
    CheckAnswer,
    ClassifyAnswer,
    ClassifyCall,
    DispatchCall,
    Outcome,
    RunRef,
)
from snapforge.kit import clock

QUEUE = "standard"


def check(ref: RunRef) -> CheckAnswer:
    """Whether the run is still wanted, and which attempt is next."""
    job = store.find_job(ref.org_id, ref.job_id)
    if job is None or job.life().final or job.run != ref.run:
        return CheckAnswer(next="end", attempt=1, outcome=GONE)
    attempt = int(job.attempt)
    if job.deadline is not None and clock.now() >= job.deadline:
        late = Outcome(outcome="failed", failure=failures.deadline())
        return CheckAnswer(next="settle", attempt=attempt, outcome=late)
    return CheckAnswer(next="dispatch", attempt=attempt, outcome=GONE)


def dispatch(call: DispatchCall) -> None:
    """Hand the attempt to Batch, once; the task token is kept for whoever learns how it ended.

    Called again (a retry, a recovered execution) it takes over the token and looks after the work that goes on. Of two
    at the same time both may submit: the worker that claims the attempt's prefix works, the other one leaves.
    """
    job = store.find_job(call.org_id, call.job_id)
    if job is None or not job.life().awaits(call.run, call.attempt):
        states.answer(call.task_token, GONE.model_dump(mode="json"))
        return
    row = tables.retried(lambda: _own_attempt(call))
    if row is None:
        states.answer(call.task_token, GONE.model_dump(mode="json"))
    elif row.outcome is not None:
        states.answer(call.task_token, row.outcome.model_dump(mode="json"))
    elif row.batch_ids:
        ended = attempts.truth(row, clock.now())
        if ended is not None:
            attempts.tell(row, ended)
    else:
        _submit(job, row)


def _own_attempt(call: DispatchCall) -> AttemptRow | None:
    """The attempt's row, made or taken over with this call's token; None when the job does not want it any more."""
    row = store.find_attempt(call.job_id, call.run, call.attempt)
    if row is not None:
        store.change_open_attempt(row, AttemptRow.task_token.set(call.task_token))
        return row
    row = AttemptRow(
        store.attempt_pk(call.job_id),
        store.attempt_sk(call.run, call.attempt),
        org_id=call.org_id,
        job_id=call.job_id,
        run=call.run,
        attempt=call.attempt,
        task_token=call.task_token,
        dispatched_at=clock.now(),
    )
    tx = tables.Transaction()
    tx.check(
        JobRow,
        store.org_pk(call.org_id),
        store.job_sk(call.job_id),
        store.unfinished(call.run, call.attempt),
        failed=_NotWanted,
    )
    tx.put_new(row, failed=lambda _: tables.Stale())
    try:
        tx.commit()
    except _NotWanted:
        return None
    return row


class _NotWanted(Exception):
    """The job has ended, or another attempt is its current one."""


def _submit(job: JobRow, row: AttemptRow) -> None:
    now = clock.now()
    limits = deadlines.limits(job.parameters)
    output = attempts.row_prefix(row)
    try:
        work = _work(job)
    except assets_errors.CaptureNotFound:
        attempts.tell(row, Outcome(outcome="failed", failure=_no_capture()))
        return
    manifest = Manifest(
        job_id=job.id,
        run=int(row.run),
        attempt=int(row.attempt),
        deadline=now + limits.whole,
        reports_queue_url=settings.get("REPORTS_QUEUE_URL"),
        output_uri=output,
        resume_uri=prefix_uri(job.id, int(row.run), int(row.attempt) - 1) if row.attempt > 1 else None,
        reduced=job.reduced,
        work=work,
    )
    s3.put(output + "manifest.json", manifest.model_dump_json().encode(), "application/json")
    batch_id = batch.submit(
        name=f"{job.id}-{int(row.run)}-{int(row.attempt)}",
        queue=QUEUE,
        definition=job.kind,
        share=shares.of_org(job.org_id),
        environment={"MANIFEST_URI": output + "manifest.json"},
        timeout=int(limits.run.total_seconds()),
    )
    if not store.change_open_attempt(row, AttemptRow.batch_ids.add({batch_id})):
        # It ended while it was handed over: canceled.
        batch.terminate(batch_id, "the job has ended")


def _work(job: JobRow) -> ImageWork | SceneWork:
    parameters = job.parameters
    if isinstance(parameters, ImageParameters):
        return pictures.work(parameters)
    ordered = parameters.model_dump(include={"preset", "usdz", "longest_side_m", "floor", "compression", "seed"})
    return SceneWork(photos=_photos(job.org_id, parameters), **ordered)


def _photos(org_id: str, parameters: SceneParameters) -> tuple[Photo, ...]:
    """The photos that were paid for: of a capture that has grown since, the first ones."""
    capture = assets.capture_facts(org_id, parameters.capture_id)
    first = sorted(capture.usable, key=lambda photo: photo.id)[: parameters.photos]
    return tuple(
        Photo(uri=photo.uri, name=photo.name, width=photo.width, height=photo.height, focal_px=photo.focal_px)
        for photo in first
    )


def _no_capture() -> Failure:
    return Failure(
        category=FailureCategory.input,
        code="capture_gone",
        message="The capture of this job does not exist any more.",
        fix="Upload the photos again and create a new job.",
    )


def classify(call: ClassifyCall) -> ClassifyAnswer:
    """What follows a failed attempt: another one after a wait, or the end of the run."""
    return tables.retried(lambda: _classify(call))


def _classify(call: ClassifyCall) -> ClassifyAnswer:
    job = store.find_job(call.org_id, call.job_id)
    if job is None or job.life().final or job.run != call.run or job.attempt < call.attempt:
        return ClassifyAnswer(next="end", wait_seconds=0, outcome=GONE)
    if job.attempt > call.attempt:
        # Decided before, by the first of two invocations.
        return ClassifyAnswer(next="retry", wait_seconds=1, outcome=GONE)
    row = store.find_attempt(call.job_id, call.run, call.attempt)
    outcome = _told(call)
    if row is not None:
        outcome = store.close(row, outcome, clock.now())
    if outcome.outcome != "failed" or outcome.failure is None:
        return ClassifyAnswer(next="settle" if outcome.outcome == "done" else "end", wait_seconds=0, outcome=outcome)
    living, again = life.fail_attempt(job.life(), outcome.failure.category)
    if again is None:
        return ClassifyAnswer(next="settle", wait_seconds=0, outcome=outcome)
    if row is not None:
        # Batch tries some failures again by itself; the next attempt takes over from here.
        attempts.give_up(row, "another attempt follows")
        job.spent = [*job.spent, *_spent(row, outcome.failure)]
    wait = random.randint(max(1, again.wait_seconds // 2), again.wait_seconds)
    job.live(living)
    job.queued_since = None
    now = clock.now()
    job.deadline = now + deadlines.limits(job.parameters).queue
    job.deadline_at = deadlines.next_look(now, job.deadline)
    tx = tables.Transaction()
    store.put_changed(tx, job)
    tx.commit()
    return ClassifyAnswer(next="retry", wait_seconds=wait, outcome=GONE)


def _told(call: ClassifyCall) -> Outcome:
    if call.outcome is not None:
        return call.outcome
    return Outcome(outcome="failed", failure=failures.of_caught(call.error or "unknown"))


def _spent(row: AttemptRow, failure: Failure) -> list[receipts.Spent]:
    result = attempts.read_result(failure.result_uri, row.job_id, int(row.run), int(row.attempt))
    if result is not None:
        return [receipts.of_usage(int(row.attempt), result.usage)]
    spent = receipts.of_times(int(row.attempt), row.started_at, row.ended_at)
    return [spent] if spent else []
