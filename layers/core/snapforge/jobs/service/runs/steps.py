"""The workflow's steps Check and Classify. Each may run twice, and late."""

import random

from snapforge.aws import tables
from snapforge.jobs import store
from snapforge.jobs.domain import deadlines, failures, lifecycle
from snapforge.jobs.domain.workflow import CheckAnswer, ClassifyAnswer, ClassifyCall, Outcome, RunRef
from snapforge.jobs.service.runs import attempts, costs
from snapforge.jobs.service.runs.attempts import GONE
from snapforge.kit import clock


def check(ref: RunRef) -> CheckAnswer:
    """Whether the run is still wanted, and which attempt is next."""
    job = store.find_job(ref.org_id, ref.job_id)
    if job is None or job.lifecycle().final or job.run != ref.run:
        return CheckAnswer(next="end", attempt=1, outcome=GONE)
    attempt = job.attempt
    if job.deadline is not None and clock.now() >= job.deadline:
        late = Outcome(outcome="failed", failure=failures.deadline())
        return CheckAnswer(next="settle", attempt=attempt, outcome=late)
    return CheckAnswer(next="dispatch", attempt=attempt, outcome=GONE)


def classify(call: ClassifyCall) -> ClassifyAnswer:
    """What follows a failed attempt: another one after a wait, or the end of the run."""
    return tables.retried(lambda: _classify(call))


def _classify(call: ClassifyCall) -> ClassifyAnswer:
    job = store.find_job(call.org_id, call.job_id)
    if job is None or job.lifecycle().final or job.run != call.run or job.attempt < call.attempt:
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
    living, again = lifecycle.fail_attempt(job.lifecycle(), outcome.failure.category)
    if again is None:
        return ClassifyAnswer(next="settle", wait_seconds=0, outcome=outcome)
    if row is not None:
        # Batch tries some failures again by itself; the next attempt takes over from here.
        attempts.give_up(row, "another attempt follows")
        job.spent = [*job.spent, *costs.spent_by(row, clock.now())]
    wait = random.randint(max(1, again.wait_seconds // 2), again.wait_seconds)
    job.apply(living)
    job.queued_since = None
    now = clock.now()
    job.deadline = now + deadlines.limits(job.parameters).queue
    job.deadline_at = deadlines.next_look(now, job.deadline)
    tx = tables.Transaction()
    tx.put_changed(job)
    tx.commit()
    return ClassifyAnswer(next="retry", wait_seconds=wait, outcome=GONE)


def _told(call: ClassifyCall) -> Outcome:
    if call.outcome is not None:
        return call.outcome
    return Outcome(outcome="failed", failure=failures.of_caught(call.error or "unknown"))
