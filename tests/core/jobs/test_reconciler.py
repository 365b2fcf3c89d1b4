"""No job stays unfinished: what the stream, the workflow or the worker lost is mended."""

import os
from datetime import timedelta

import pytest

from snapforge.aws import states
from snapforge.billing.service import audits, ledger
from snapforge.jobs import schemas, store
from snapforge.jobs.domain.lifecycle import MAX_RECOVERIES, JobState
from snapforge.jobs.domain.workflow import execution_name
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import reconciler, settlement
from snapforge.kit import clock
from snapforge.kit.errors import Unavailable
from snapforge.kit.permissions import Principal
from tests.core.jobs.engine import Engine

Made = tuple[Principal, schemas.Job]


@pytest.fixture
def made(engine: Engine) -> Made:
    """A customer with 100 credits and a job of 2."""
    who = engine.customer()
    return who, engine.order(who)


def late(engine: Engine, made: Made) -> None:
    """The job's deadline has passed."""
    row = engine.row(*made)
    row.deadline = clock.now() - timedelta(seconds=1)
    row.deadline_at = row.deadline
    row.save()


def stop(engine: Engine, job: schemas.Job, recovery: int = 0) -> None:
    """The execution is lost, as after a crash of the emulator."""
    name = execution_name(job.id, 1, recovery)
    arn = os.environ["STATE_MACHINE_ARN"].replace(":stateMachine:", ":execution:") + f":{name}"
    engine.aws.client("stepfunctions").stop_execution(executionArn=arn)
    assert states.status(name) == "ABORTED"


@pytest.mark.part("JOB-11")
class TestReconcile:
    def test_a_job_whose_start_was_lost_is_started(self, engine: Engine, made: Made) -> None:
        who, job = made
        assert reconciler.reconcile(engine.row(who, job)) == "start"
        assert engine.token(job.id)
        assert reconciler.reconcile(engine.row(who, job)) == "leave"

    def test_work_that_goes_on_is_left_alone(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        assert reconciler.reconcile(engine.row(who, job)) == "leave"

    def test_a_silent_end_is_told_to_the_workflow(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.batch.end(batch_id, "FAILED", 137, "Host EC2 (instance i-1) terminated.")
        assert reconciler.reconcile(engine.row(who, job)) == "report"
        heard = engine.heard(job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.category == "transient"

    def test_an_end_that_was_noted_and_not_heard_is_told_again(self, engine: Engine, made: Made) -> None:
        who, job = made
        token = engine.start(who, job)
        engine.dispatch(who, job, "a-token-that-nobody-waits-for")
        batch_id = engine.claim(job)
        engine.done(job, batch_id)
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        row.task_token = token
        row.save()
        assert reconciler.reconcile(engine.row(who, job)) == "report"
        assert engine.heard(job) is not None

    def test_a_lost_execution_is_replaced_and_takes_the_work_over(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        stop(engine, job)
        assert reconciler.reconcile(engine.row(who, job)) == "restart"
        engine.dispatch(who, job, engine.token(job.id))
        assert len(engine.tickets(job)) == 1
        engine.done(job, batch_id)
        heard = engine.heard(job, recovery=1)
        assert heard is not None
        engine.settle(who, job, heard)
        assert queries.get_job(who, job.id).state == JobState.succeeded

    def test_an_execution_that_is_lost_too_often_fails_the_job_free(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.start(who, job)
        for recovery in range(MAX_RECOVERIES):
            stop(engine, job, recovery)
            assert reconciler.reconcile(engine.row(who, job)) == "restart"
            engine.token(job.id)
        stop(engine, job, MAX_RECOVERIES)
        assert reconciler.reconcile(engine.row(who, job)) == "fail_lost"
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert (failure.code, failure.charged) == ("workflow_lost", 0)
        assert ledger.balance(who.org_id).available == 100

    def test_a_crash_between_counting_and_starting_is_mended(self, engine: Engine, made: Made) -> None:
        who, job = made
        row = engine.row(who, job)
        row.recovery = 1
        row.save()
        assert reconciler.reconcile(engine.row(who, job)) == "start"
        assert states.status(execution_name(job.id, 1, 1)) == "RUNNING"

    def test_work_done_under_a_lost_execution_is_settled_at_once(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        stop(engine, job)
        engine.done(job, batch_id)
        assert reconciler.reconcile(engine.row(who, job)) == "settle_done"
        assert queries.get_job(who, job.id).state == JobState.succeeded
        assert ledger.balance(who.org_id).available == 98


@pytest.mark.part("JOB-11")
class TestDeadlines:
    def test_a_late_job_fails_free_and_its_work_is_stopped(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        late(engine, made)
        reconciler.sweep()
        seen = queries.get_job(who, job.id)
        assert seen.failure is not None
        assert (seen.failure.category, seen.failure.retryable) == ("deadline", True)
        balance = ledger.balance(who.org_id)
        assert (balance.available, balance.held, audits.audit(who.org_id)) == (100, 0, [])
        engine.publish(who)
        assert engine.batch.jobs[batch_id]["terminated"]
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "gone"

    def test_a_late_job_that_is_done_has_succeeded(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        engine.results(job)
        late(engine, made)
        reconciler.sweep()
        assert queries.get_job(who, job.id).state == JobState.succeeded

    def test_a_late_job_whose_attempt_told_why_it_failed_says_that(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.failed(job, batch_id, "input")
        late(engine, made)
        reconciler.sweep()
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert failure.category == "input"


@pytest.mark.part("JOB-11")
class TestSweep:
    def test_a_job_is_looked_at_when_it_is_due_and_not_again_at_once(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = made[1]
        seen: list[str] = []
        monkeypatch.setattr(reconciler, "reconcile", lambda row: seen.append(row.id))
        reconciler.sweep()
        assert job.id not in seen
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        reconciler.sweep()
        reconciler.sweep()
        assert seen.count(job.id) == 1

    def test_an_ended_job_is_never_looked_at(self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
        who, job = made
        settlement.cancel_job(who, job.id)
        seen: list[str] = []
        monkeypatch.setattr(reconciler, "reconcile", lambda row: seen.append(row.id))
        later = clock.now() + timedelta(days=1)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        reconciler.sweep()
        assert job.id not in seen

    def test_one_job_that_breaks_does_not_hold_up_the_others(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        made = [engine.order(who) for _ in range(2)]
        for job in made:
            late(engine, (who, job))
        real = reconciler.reconcile

        def broken(row: store.JobRow) -> object:
            if row.id == made[0].id:
                raise Unavailable("no")
            return real(row)

        monkeypatch.setattr(reconciler, "reconcile", broken)
        with pytest.raises(ExceptionGroup):
            reconciler.sweep()
        assert queries.get_job(who, made[1].id).state == JobState.failed
        monkeypatch.undo()
        settlement.cancel_job(who, made[0].id)

    def test_news_that_the_stream_lost_is_published_after_a_minute(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        later = clock.now() + timedelta(seconds=61)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        reconciler.sweep()
        assert states.status(execution_name(job.id, 1, 0)) == "RUNNING"
        assert engine.news(who) == []

    def test_a_job_that_never_reached_batch_is_given_up_and_tried_again(
        self, engine: Engine, scene: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = scene
        engine.dispatch(who, job, engine.start(who, job))
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        row.batch_ids = None
        row.save()
        assert reconciler.reconcile(engine.row(who, job)) == "leave"
        later = clock.now() + timedelta(minutes=3)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert reconciler.reconcile(engine.row(who, job)) == "report"
        answer = engine.classify(who, job, engine.heard(job))
        assert answer.next == "retry"

    def test_a_job_that_batch_has_forgotten_is_tried_again(
        self, engine: Engine, scene: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = scene
        batch_id = engine.working(who, job)
        del engine.batch.jobs[batch_id]
        assert reconciler.reconcile(engine.row(who, job)) == "leave"
        later = clock.now() + timedelta(minutes=3)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert reconciler.reconcile(engine.row(who, job)) == "report"
