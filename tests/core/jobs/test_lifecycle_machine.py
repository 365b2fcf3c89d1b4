"""The life of a job under all that can happen to it, in any order and twice: Hypothesis against the real service.

The machine plays customer, workflow, worker, Batch and clock. Whatever they do: a run ends once and stays as it ended,
its hold ends with it, a failure is free, and when the deadline has passed the sweeper has ended it.
"""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from snapforge.billing.service import audits, ledger
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import errors, schemas, store
from snapforge.jobs.domain.failures import MAX_ATTEMPTS
from snapforge.jobs.domain.lifecycle import FINAL, JobState
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import reconciler, settlement, steps
from snapforge.jobs.service.submission import submit
from snapforge.kit import clock
from tests.core.jobs.engine import Engine, idempotency_key, ref

CREDITS = 100
PRICE = 2
twice = st.booleans()
rarely = st.integers(0, 5)
"""0 acts: what ends a job at once must not end every life early."""


class JobLife(RuleBasedStateMachine):
    """One job of one customer."""

    engine: Engine

    @initialize()
    def order(self) -> None:
        self.who = self.engine.customer(CREDITS)
        self.job: schemas.Job = self.engine.order(self.who)
        self.ended: dict[int, tuple[str, int]] = {}
        self.heard: list[tuple[int, int, Outcome]] = []
        self.percent: dict[int, int] = {}

    @property
    def row(self) -> store.JobRow:
        return self.engine.row(self.who, self.job)

    @property
    def place(self) -> tuple[int, int]:
        """Run and attempt now."""
        return int(self.row.run), int(self.row.attempt)

    @property
    def going(self) -> bool:
        """Whether the run has not ended."""
        return not self.row.lifecycle().final

    @property
    def workable(self) -> bool:
        """Whether the current attempt was handed over, or can be: its reports may also come after its run's end."""
        return self.going or store.find_attempt(self.job.id, *self.place) is not None

    @rule(again=twice)
    def the_workflow_checks_and_dispatches(self, again: bool) -> None:
        run = self.place[0]
        answer = steps.check(ref(self.who, self.job, run))
        if answer.next == "dispatch":
            for _ in range(1 + again):
                self.engine.dispatch(self.who, self.job, "token", attempt=answer.attempt, run=run)

    @precondition(lambda self: self.workable)
    @rule(percent=st.integers(0, 100))
    def a_worker_tells_its_progress(self, percent: int) -> None:
        run, attempt = self._at_work()
        batch_id = self.engine.claim(self.job, run=run, attempt=attempt)
        self.engine.progress(self.job, batch_id, percent, run=run, attempt=attempt)

    @precondition(lambda self: self.workable)
    @rule(pictures=st.integers(0, PRICE), back=st.integers(0, 1), again=twice)
    def a_worker_is_done(self, pictures: int, back: int, again: bool) -> None:
        """Of the current attempt, or of the one before."""
        run, attempt = self._at_work()
        attempt = max(1, attempt - back)
        batch_id = self._some_worker(run, attempt)
        for _ in range(1 + again):
            self.engine.done(self.job, batch_id, run=run, attempt=attempt, pictures=pictures)
        self._hear(run, attempt)

    @precondition(lambda self: self.workable)
    @rule(category=st.sampled_from(FailureCategory), back=st.integers(0, 1), again=twice)
    def a_worker_fails(self, category: FailureCategory, back: int, again: bool) -> None:
        run, attempt = self._at_work()
        attempt = max(1, attempt - back)
        batch_id = self._some_worker(run, attempt)
        for _ in range(1 + again):
            self.engine.failed(self.job, batch_id, category, run=run, attempt=attempt)
        self._hear(run, attempt)

    @precondition(lambda self: self.workable)
    @rule(exit_code=st.sampled_from([0, 65, 70, 75, 137]), again=twice)
    def a_worker_dies_in_silence(self, exit_code: int, again: bool) -> None:
        run, attempt = self._at_work()
        batch_id = self._some_worker(run, attempt)
        self.engine.batch.end(batch_id, "FAILED" if exit_code else "SUCCEEDED", exit_code)
        for _ in range(1 + again):
            self.engine.batch_event(batch_id)
        self._hear(run, attempt)

    @precondition(lambda self: bool(self.heard))
    @rule(which=st.integers(0, 3), again=twice)
    def the_workflow_goes_on(self, which: int, again: bool) -> None:
        """With any outcome it ever heard: a lost execution may repeat an old one."""
        run, attempt, outcome = self.heard[-1 - which % len(self.heard)]
        for _ in range(1 + again):
            before = self.row
            stale = before.lifecycle().final or self.place != (run, attempt)
            self._go_on(run, attempt, outcome)
            if stale:
                assert self.row.version == before.version, "news of what is past changes nothing"

    @precondition(lambda self: self.workable)
    @rule(percent=st.integers(0, 100))
    def a_machine_is_taken_away(self, percent: int) -> None:
        """All of it at once, so that lives with several attempts are common."""
        run, attempt = self._at_work()
        batch_id = self.engine.claim(self.job, run=run, attempt=attempt)
        self.engine.progress(self.job, batch_id, percent, run=run, attempt=attempt)
        self.engine.failed(self.job, batch_id, "transient", run=run, attempt=attempt)
        self._hear(run, attempt)
        if self.heard:
            self._go_on(*self.heard[-1])

    @precondition(lambda self: self.going)
    @rule(dice=rarely)
    def the_workflow_times_out(self, dice: int) -> None:
        if dice:
            return
        run, attempt = self.place
        answer = self.engine.classify(self.who, self.job, None, run=run, attempt=attempt, error="States.Timeout")
        if answer.next == "settle":
            self.engine.settle(self.who, self.job, answer.outcome, run=run, attempt=attempt)

    @rule(again=twice, dice=rarely)
    def the_customer_cancels(self, again: bool, dice: int) -> None:
        if dice:
            return
        before = self.row.state
        for _ in range(1 + again):
            try:
                assert settlement.cancel_job(self.who, self.job.id).state == JobState.canceled
            except errors.JobAlreadyEnded:
                assert before in {JobState.succeeded, JobState.failed}

    @rule(key=st.integers(0, 2))
    def the_customer_retries(self, key: int) -> None:
        before = self.row
        try:
            submit.retry_job(self.who, self.job.id, idempotency_key(self.who, f"retry-{key}-{int(before.run)}"))
        except errors.JobNotRetryable:
            assert before.state not in {JobState.failed, JobState.canceled}
        else:
            assert self.row.run == before.run + 1

    @rule(percent=st.integers(50, 100), done=st.booleans())
    def the_customer_starts_over(self, percent: int, done: bool) -> None:
        """Cancels what is at work and runs it again, at once: what the first run still tells comes later."""
        if self.going:
            self.a_worker_tells_its_progress(percent)
            if done:
                self.a_worker_is_done(PRICE, 0, again=False)
            else:
                self.a_worker_fails(FailureCategory.transient, 0, again=False)
            settlement.cancel_job(self.who, self.job.id)
        self.the_customer_retries(0)

    @precondition(lambda self: self.going)
    @rule()
    def the_sweeper_looks(self) -> None:
        reconciler.reconcile(self.row)

    @precondition(lambda self: self.going)
    @rule(dice=rarely)
    def the_deadline_passes(self, dice: int) -> None:
        if dice:
            return
        self._late()
        assert self.row.lifecycle().final

    @invariant()
    def a_run_ends_once_with_its_hold_and_a_failure_is_free(self) -> None:
        row, balance = self.row, ledger.balance(self.who.org_id)
        run = int(row.run)
        if row.state in FINAL:
            assert row.charged is not None
            assert row.deadline_at is None
            assert self.ended.setdefault(run, (row.state, int(row.charged))) == (row.state, int(row.charged))
            assert row.charged == 0 or row.state == JobState.succeeded
            assert balance.held == 0
        else:
            assert run not in self.ended
            assert row.deadline_at is not None
            assert balance.held == PRICE
        charged = sum(charge for _, charge in self.ended.values())
        assert balance.available + balance.held == CREDITS - charged
        assert row.attempt <= MAX_ATTEMPTS + 1

    @invariant()
    def the_percent_never_falls_within_a_run(self) -> None:
        run = self.place[0]
        seen = queries.get_job(self.who, self.job.id)
        if seen.state in {JobState.queued, JobState.running}:
            assert seen.progress.percent >= self.percent.get(run, 0)
            self.percent[run] = seen.progress.percent

    def teardown(self) -> None:
        if not hasattr(self, "job"):
            return
        if self.going:
            self._late()
        assert self.row.lifecycle().final
        assert ledger.balance(self.who.org_id).held == 0
        assert audits.audit(self.who.org_id) == []

    def _late(self) -> None:
        row = self.row
        row.deadline = clock.now() - timedelta(seconds=1)
        row.save()
        reconciler.reconcile(self.row)

    def _at_work(self) -> tuple[int, int]:
        """The current place, handed over to Batch if it was not and still can be."""
        run, attempt = self.place
        if store.find_attempt(self.job.id, run, attempt) is None:
            self.engine.dispatch(self.who, self.job, "token", attempt=attempt, run=run)
        return run, attempt

    def _go_on(self, run: int, attempt: int, outcome: Outcome) -> None:
        if outcome.outcome == "failed":
            answer = self.engine.classify(self.who, self.job, outcome, run=run, attempt=attempt)
            if answer.next != "settle":
                return
            outcome = answer.outcome
        self.engine.settle(self.who, self.job, outcome, run=run, attempt=attempt)

    def _some_worker(self, run: int, attempt: int) -> str:
        """The worker of the attempt."""
        return self.engine.worker(self.job, run=run, attempt=attempt)

    def _hear(self, run: int, attempt: int) -> None:
        row = store.find_attempt(self.job.id, run, attempt)
        if row is not None and row.outcome is not None:
            self.heard.append((run, attempt, row.outcome))


def _live(engine: Engine, **wanted: Any) -> None:
    JobLife.engine = engine
    run_state_machine_as_test(
        JobLife,
        settings=settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **wanted),
    )


@pytest.mark.part("JOB-1", "JOB-4", "JOB-11")
def test_whatever_happens_a_run_ends_once_and_a_failure_is_free(engine: Engine) -> None:
    """Twenty small lives, the same each time."""
    _live(engine, max_examples=20, stateful_step_count=12, derandomize=True)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.part("JOB-1", "JOB-4", "JOB-11")
def test_it_holds_in_fresh_and_longer_lives(engine: Engine) -> None:
    """Lives that no run has seen before."""
    _live(engine, max_examples=200, stateful_step_count=25)
