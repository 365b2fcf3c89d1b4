"""The workflow's step Dispatch: an attempt is handed to whoever works on it. It may run twice, and late."""

from snapforge.assets import errors as assets_errors
from snapforge.aws import states, tables
from snapforge.aws.tables import org_pk
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import store
from snapforge.jobs.domain import locations, pricing, routing
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.requests import ImageParameters
from snapforge.jobs.domain.workflow import DispatchCall, Outcome
from snapforge.jobs.service.fleet import autoscaling
from snapforge.jobs.service.runs import attempts
from snapforge.jobs.service.runs.attempts import GONE
from snapforge.jobs.service.runs.dispatch import batch, images, providers
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.kit import clock
from snapforge.kit.errors import Problem
from snapforge.loras import errors as loras_errors

NOWHERE = "nowhere"
"""The route of an attempt that nobody can draw."""


def dispatch(call: DispatchCall) -> None:
    """Hand the attempt over, once; the task token is kept for whoever learns how it ended.

    Called again (a retry, a recovered execution) it takes over the token and looks after the work that goes on. Of two
    at the same time both may hand over: the worker that claims the attempt's prefix works, the other one leaves.
    """
    job = store.find_job(call.org_id, call.job_id)
    if job is None or not job.lifecycle().awaits(call.run, call.attempt):
        states.answer(call.task_token, GONE.model_dump(mode="json"))
        return
    row = tables.retried(lambda: _own_attempt(call, job))
    if row is None:
        states.answer(call.task_token, GONE.model_dump(mode="json"))
    elif row.outcome is not None:
        states.answer(call.task_token, row.outcome.model_dump(mode="json"))
    elif row.batch_ids or row.sent_at:
        ended = attempts.observed_outcome(row, clock.now())
        if ended is not None:
            attempts.report_outcome(row, ended)
    else:
        _hand_over(job, row)


def _own_attempt(call: DispatchCall, job: JobRow) -> AttemptRow | None:
    """The attempt's row, made or taken over with this call's token; None when the job does not want it any more."""
    row = store.find_attempt(call.job_id, call.run, call.attempt)
    if row is not None:
        store.change_open_attempt(row, AttemptRow.task_token.set(call.task_token))
        return row
    now = clock.now()
    row = AttemptRow(
        store.attempt_pk(call.job_id),
        store.attempt_sk(call.run, call.attempt),
        org_id=call.org_id,
        job_id=call.job_id,
        run=call.run,
        attempt=call.attempt,
        task_token=call.task_token,
        dispatched_at=now,
    )
    if isinstance(job.parameters, ImageParameters):
        row.route = _route(job, job.parameters)
    if row.route == routing.OWN and isinstance(job.parameters, ImageParameters):
        # Here and not when the ticket is sent: a fast worker may have begun by then.
        row.place, row.placed_at = locations.queue(job.parameters.priority), now
        row.drawing_ms = pricing.drawing_milliseconds(job.parameters)
    tx = tables.Transaction()
    tx.update(
        JobRow(org_pk(call.org_id), store.job_sk(call.job_id)),
        [JobRow.queued_since.set(now)] if row.place else [JobRow.queued_since.remove()],
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


def _route(job: JobRow, parameters: ImageParameters) -> str:
    """Kept with the attempt, so that a doubled dispatch does not go two ways."""
    earlier = store.attempts_of(job.id, job.run) if job.attempt > 1 else []
    tried = [row.route for row in earlier if row.route]
    return providers.route(parameters, tried, autoscaling.is_cold) or NOWHERE


def _hand_over(job: JobRow, row: AttemptRow) -> None:
    try:
        if row.route is None:
            batch.hand_over(job, row)
        elif row.route == NOWHERE:
            attempts.report_outcome(row, Outcome(outcome="failed", failure=_no_route()))
        elif (provider := routing.provider_of(row.route)) is not None:
            providers.hand_over(job, row, provider)
        else:
            images.hand_over(job, row)
    except assets_errors.CaptureNotFound:
        attempts.report_outcome(row, Outcome(outcome="failed", failure=_no_capture()))
    except (loras_errors.LoraNotFound, loras_errors.LoraDeleted, loras_errors.LoraNotReady) as error:
        attempts.report_outcome(row, Outcome(outcome="failed", failure=_no_lora(error)))


def _no_capture() -> Failure:
    return Failure(
        category=FailureCategory.input,
        code="capture_gone",
        message="The capture of this job does not exist any more.",
        fix="Upload the photos again and create a new job.",
    )


def _no_lora(error: Problem) -> Failure:
    return Failure(
        category=FailureCategory.input,
        code=error.code,
        message=f"A LoRA of this job cannot be used any more. {error.detail}",
        fix="Restore the LoRA, or order again without it.",
    )


def _no_route() -> Failure:
    return Failure(
        category=FailureCategory.bug,
        code="nobody_draws_this",
        message="Nobody here can draw this order at the moment. We have been told.",
        fix="Choose another model.",
    )


__all__ = ["dispatch"]
