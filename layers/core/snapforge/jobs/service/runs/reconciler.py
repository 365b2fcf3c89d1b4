"""No job stays unfinished: each is held against the engine's own truth, again and again until it has ended."""

from snapforge.aws import outbox, states, tables
from snapforge.aws.errors import AwsError
from snapforge.jobs import store
from snapforge.jobs.domain import deadlines, failures, lifecycle
from snapforge.jobs.domain.observed_state import Action, Execution, ObservedState, Work, decide
from snapforge.jobs.domain.workflow import Outcome, RunRef, SettleCall, execution_name
from snapforge.jobs.service.runs import attempts, publishing, settlement
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.kit import clock
from snapforge.kit.errors import Problem

MOST = 50
"""Jobs a shard and sweep; the rest is next, a minute later."""


def sweep() -> int:
    """Publish what the stream lost, then look at every unfinished job that is due; returns how many were looked at.

    A job that cannot be dealt with does not hold up the others: all failures are raised together at the end.
    """
    looked: int = 0
    failed: list[Exception] = []
    try:
        outbox.publish_late("jobs", publishing.publish)
    except ExceptionGroup as error:
        failed.append(error)
    for pk, sk in store.due(clock.now(), MOST):
        try:
            looked += _look(pk, sk)
        except (*AwsError, Problem) as error:
            error.add_note(sk)
            failed.append(error)
    if failed:
        raise ExceptionGroup("what could not be swept", failed)
    return looked


def _look(pk: str, sk: str) -> int:
    job = tables.find(JobRow, pk, sk)
    now = clock.now()
    if job is None or job.deadline is None or job.deadline_at is None or job.deadline_at > now:
        return 0
    if not store.look_later(job, max(deadlines.next_look(now, job.deadline), now + deadlines.LOOK_EVERY / 2)):
        return 0
    reconcile(job)
    return 1


def reconcile(job: JobRow) -> Action:
    """Do for one unfinished job what the truth demands."""
    now = clock.now()
    name = execution_name(job.id, job.run, job.recovery)
    row = store.find_attempt(job.id, job.run, job.attempt)
    ended = (row.outcome or attempts.observed_outcome(row, now)) if row else None
    found = ObservedState(
        execution=_execution(states.status(name)),
        work=_work(row, ended),
        result=ended is not None and ended.outcome == "done",
        recoveries_left=lifecycle.recover(job.lifecycle()) is not None,
    )
    action = decide(found, now, job.deadline or now)
    _act(action, job, row, ended, name)
    return action


def _execution(status: str | None) -> Execution:
    if status is None:
        return "absent"
    return "running" if status == "RUNNING" else "ended"


def _work(row: AttemptRow | None, ended: Outcome | None) -> Work:
    if row is None:
        return "none"
    if row.outcome is not None:
        return "reported"
    if ended is not None:
        return "ended"
    return "working" if row.started_at else "waiting"


def _act(action: Action, job: JobRow, row: AttemptRow | None, ended: Outcome | None, name: str) -> None:
    ref = RunRef(org_id=job.org_id, job_id=job.id, run=job.run)
    if action == "start":
        states.start(name, ref.model_dump())
    elif action == "restart":
        _restart(job, ref)
    elif action == "report" and row is not None and ended is not None:
        attempts.report_outcome(row, ended)
    elif action == "settle_done" and ended is not None:
        _settle(job, ended)
    elif action == "fail_deadline":
        # An attempt that told why it failed, and was not heard, explains more than the clock does.
        reported = ended is not None and ended.outcome == "failed"
        _settle(job, ended if reported and ended else Outcome(outcome="failed", failure=failures.deadline()))
    elif action == "fail_lost":
        _settle(job, Outcome(outcome="failed", failure=failures.lost()))


def _restart(job: JobRow, ref: RunRef) -> None:
    """Count the lost execution, then start the next: a crash in between leaves one that is absent, and is started."""
    again = lifecycle.recover(job.lifecycle())
    if again is None:
        return
    job.apply(again)
    tx = tables.Transaction()
    tx.put_changed(job)
    try:
        tx.commit()
    except tables.Stale:
        # Somebody else moved it on; the next look sees how it stands.
        return
    states.start(execution_name(job.id, job.run, again.recovery), ref.model_dump())


def _settle(job: JobRow, outcome: Outcome) -> None:
    settlement.settle(SettleCall(org_id=job.org_id, job_id=job.id, run=job.run, attempt=job.attempt, outcome=outcome))
