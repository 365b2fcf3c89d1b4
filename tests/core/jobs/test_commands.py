"""Cancel and retry of a job in each of its states: what they do, what they refuse, and that nothing works on."""

from datetime import timedelta

import pytest

from snapforge.aws import s3
from snapforge.billing.service import ledger
from snapforge.contracts.tickets import CANCELED
from snapforge.jobs import errors, store
from snapforge.jobs.domain import deadlines
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts, settlement
from snapforge.jobs.service.submission import submit
from snapforge.kit import clock
from tests.core.jobs.engine import Engine, Made, exact, idempotency_key


def in_state(engine: Engine, state: JobState) -> Made:
    """A customer with 100 credits and a job of 2 in this state."""
    who = engine.customer()
    job = engine.order(who)
    if state is JobState.queued:
        return who, job
    worker = engine.working(who, job)
    if state is JobState.canceled:
        settlement.cancel_job(who, job.id)
    elif state is JobState.succeeded:
        engine.settle(who, job, Outcome(outcome="done", result_uri=engine.results(job)))
    elif state is JobState.failed:
        engine.failed(job, worker, "bug")
        engine.settle(who, job, engine.classify(who, job, engine.heard(job)).outcome)
    assert engine.row(who, job).state == state
    return who, job


@pytest.mark.part("JOB-5")
class TestEachState:
    """Each command in each state: it is done, or refused and changes nothing."""

    @pytest.mark.parametrize("state", [JobState.queued, JobState.running, JobState.canceled])
    def test_what_has_not_ended_otherwise_can_be_canceled(self, engine: Engine, state: JobState) -> None:
        who, job = in_state(engine, state)
        canceled = settlement.cancel_job(who, job.id)
        assert (canceled.state, canceled.price.charged, canceled.price.released) == (JobState.canceled, 0, 2)
        exact(who, available=100)

    @pytest.mark.parametrize(("state", "charged"), [(JobState.succeeded, 2), (JobState.failed, 0)])
    def test_what_has_ended_cannot_be_canceled_and_says_what_it_cost(
        self, engine: Engine, state: JobState, charged: int
    ) -> None:
        who, job = in_state(engine, state)
        before, news = engine.row(who, job), engine.news(who)
        with pytest.raises(errors.JobAlreadyEnded) as refused:
            settlement.cancel_job(who, job.id)
        assert (refused.value.status, refused.value.charged) == (409, charged)
        assert (engine.row(who, job).version, engine.news(who)) == (before.version, news)
        exact(who, available=100 - charged)

    @pytest.mark.parametrize("state", [JobState.failed, JobState.canceled])
    def test_what_ended_without_success_can_be_retried(self, engine: Engine, state: JobState) -> None:
        who, job = in_state(engine, state)
        again = submit.retry_job(who, job.id, idempotency_key(who, "again"))
        assert (again.state, again.run, again.price.held) == (JobState.queued, 2, 2)
        assert ledger.balance(who.org_id).held == 2

    @pytest.mark.parametrize("state", [JobState.queued, JobState.running, JobState.succeeded])
    def test_what_is_under_way_or_succeeded_cannot_be_retried(self, engine: Engine, state: JobState) -> None:
        who, job = in_state(engine, state)
        before, news, balance = engine.row(who, job), engine.news(who), ledger.balance(who.org_id)
        with pytest.raises(errors.JobNotRetryable) as refused:
            submit.retry_job(who, job.id, idempotency_key(who, "again"))
        assert refused.value.status == 409
        assert state in str(refused.value)
        assert (engine.row(who, job).version, engine.news(who)) == (before.version, news)
        assert ledger.balance(who.org_id) == balance

    def test_the_key_of_a_refused_retry_works_once_the_job_has_ended(self, engine: Engine) -> None:
        who, job = in_state(engine, JobState.queued)
        with pytest.raises(errors.JobNotRetryable):
            submit.retry_job(who, job.id, idempotency_key(who, "again"))
        settlement.cancel_job(who, job.id)
        assert submit.retry_job(who, job.id, idempotency_key(who, "again")).run == 2


@pytest.mark.part("JOB-5", "JOB-11")
class TestFreshRun:
    """A retry begins from nothing, with time of its own."""

    def second_run(self, engine: Engine, made: Made) -> store.JobRow:
        who, job = made
        submit.retry_job(who, job.id, idempotency_key(who, "again"))
        return engine.row(who, job)

    def test_its_deadline_counts_from_the_retry(
        self, engine: Engine, scene: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = scene
        engine.working(who, job)
        settlement.cancel_job(who, job.id)
        later = clock.now().replace(microsecond=0) + timedelta(hours=9)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        row = self.second_run(engine, scene)
        assert row.deadline == later + deadlines.SCENE["draft"].queue
        assert row.deadline_at == later + deadlines.LOOK_EVERY
        assert row.queued_at == later
        assert row.deadline_shard == deadlines.shard(job.id)
        assert queries.get_job(who, job.id).deadline == row.deadline

    def test_nothing_of_the_last_run_is_left(self, engine: Engine, made: Made) -> None:
        """Of one that failed at its second attempt, smaller than the first, and left a partial result."""
        who, job = made
        engine.failed(job, engine.working(who, job), "out_of_memory")
        engine.classify(who, job, engine.heard(job))
        engine.dispatch(who, job, "token", attempt=2)
        engine.claim(job, attempt=2)
        left = engine.results(job, attempt=2, pictures=1, name="partial.json")
        rough = {"category": "insufficient_quality", "code": "under_promise", "message": "Too rough."}
        outcome = Outcome.model_validate({"outcome": "failed", "failure": rough | {"result_uri": left}})
        engine.settle(who, job, outcome, attempt=2)
        before = engine.row(who, job)
        cleared = ("results", "failure", "charged", "receipt", "spent", "started_at", "ended_at")
        assert all(getattr(before, name) is not None for name in cleared)
        row = self.second_run(engine, made)
        assert {name: getattr(row, name) for name in cleared} == dict.fromkeys(cleared) | {"spent": []}
        assert (row.attempt, row.reduced, row.failed, row.recovery) == (1, False, (), 0)
        assert row.hold_id != before.hold_id
        seen = queries.get_job(who, job.id)
        assert (seen.progress.stage, seen.progress.percent, seen.price.charged) == ("queued", 0, None)
        assert (seen.results, seen.preview_url, seen.failure) == (None, None, None)

    def test_it_has_no_place_in_a_queue_before_it_is_dispatched(self, engine: Engine, made: Made) -> None:
        """Though the ticket of the last run is still there: its cancel is not published yet."""
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        assert queries.get_job(who, job.id).progress.queue_position is not None
        settlement.cancel_job(who, job.id)
        self.second_run(engine, made)
        assert queries.get_job(who, job.id).progress.queue_position is None

    def test_it_costs_what_it_costs_today_though_the_first_was_quoted(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        row = engine.row(who, job)
        row.quoted = True
        row.save()
        settlement.cancel_job(who, job.id)
        monkeypatch.setattr("snapforge.jobs.domain.pricing.MEGAPIXEL", 2**19)
        row = self.second_run(engine, made)
        assert (row.credits, row.quoted) == (4, False)
        assert ledger.balance(who.org_id).held == 4

    def test_the_late_news_of_the_first_runs_end_stops_nothing_of_it(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        first = engine.working(who, job)
        settlement.cancel_job(who, job.id)
        submit.retry_job(who, job.id, idempotency_key(who, "again"))
        second = engine.working(who, job, run=2)
        engine.publish(who)
        assert engine.batch.jobs[first]["terminated"]
        assert engine.batch.jobs[second]["status"] == "RUNNING"
        assert engine.heard(job, run=2) is None


def is_told_to_stop(made: Made, attempt: int, run: int = 1) -> bool:
    """Whether the marker lies beside the attempt's work order."""
    return s3.exists(attempts.prefix_uri(made[1].id, run, attempt) + CANCELED)


@pytest.mark.part("JOB-4", "JOB-5")
class TestNothingWorksForNobody:
    """Whoever was at an attempt that is not wanted any more is stopped, and nobody else."""

    def test_after_a_failed_attempt_all_its_batch_jobs_and_not_the_next_ones(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        old = engine.working(who, job)
        doubled = second_batch_job(engine, scene)
        engine.failed(job, old, "transient")
        assert engine.batch.jobs[old]["status"] == "RUNNING"
        assert engine.classify(who, job, engine.heard(job)).next == "retry"
        assert [engine.batch.jobs[one]["status"] for one in (old, doubled)] == ["FAILED", "FAILED"]
        assert engine.batch.jobs[old]["statusReason"] == "another attempt follows"
        engine.dispatch(who, job, "token", attempt=2)
        assert "terminated" not in engine.batch.of(job.id)[-1]

    def test_after_a_failed_attempt_its_ticket_and_not_the_next_one(self, engine: Engine, made: Made) -> None:
        who, job = made
        warm = engine.working(who, job)
        engine.failed(job, warm, "transient")
        assert not is_told_to_stop(made, 1)
        engine.classify(who, job, engine.heard(job))
        engine.dispatch(who, job, "token", attempt=2)
        assert (is_told_to_stop(made, 1), is_told_to_stop(made, 2)) == (True, False)
        assert engine.batch.jobs[warm]["status"] == "RUNNING"

    def test_a_failure_that_is_not_tried_again_needs_nobody_stopped(self, engine: Engine, scene: Made) -> None:
        """The worker has told its end; what it has begun to write is its own to finish."""
        who, job = scene
        worker = engine.working(who, job)
        engine.failed(job, worker, "input")
        engine.settle(who, job, engine.classify(who, job, engine.heard(job)).outcome)
        engine.publish(who)
        assert "terminated" not in engine.batch.jobs[worker]

    def test_after_a_cancel_all_batch_jobs_of_its_attempt(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        old = engine.working(who, job)
        doubled = second_batch_job(engine, scene)
        settlement.cancel_job(who, job.id)
        engine.publish(who)
        assert [engine.batch.jobs[one].get("terminated") for one in (old, doubled)] == [True, True]
        assert engine.batch.jobs[old]["statusReason"] == "the job has ended"
        assert engine.heard(job) == attempts.GONE

    def test_after_a_cancel_the_ticket_of_its_last_attempt(self, engine: Engine, made: Made) -> None:
        who, job = made
        warm = engine.working(who, job)
        engine.failed(job, warm, "transient")
        engine.classify(who, job, engine.heard(job))
        engine.dispatch(who, job, "token", attempt=2)
        settlement.cancel_job(who, job.id)
        assert not is_told_to_stop(made, 2)
        engine.publish(who)
        assert is_told_to_stop(made, 2)
        assert engine.batch.jobs[warm]["status"] == "RUNNING"

    def test_a_cancel_that_stopped_half_is_finished_by_the_next_delivery_of_its_news(
        self, engine: Engine, scene: Made
    ) -> None:
        """The attempt is closed first: a second delivery still stops what works on it."""
        who, job = scene
        worker = engine.working(who, job)
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        settlement.cancel_job(who, job.id)
        store.close(row, attempts.GONE, clock.now())
        engine.publish(who)
        assert engine.batch.jobs[worker]["terminated"]
        assert engine.heard(job) == attempts.GONE


def second_batch_job(engine: Engine, made: Made) -> str:
    """What a doubled dispatch leaves: another Batch job of the same attempt."""
    who, job = made
    row = store.find_attempt(job.id, 1, 1)
    assert row is not None
    known = row.batch_ids
    row.batch_ids = None
    row.save()
    engine.dispatch(who, job, row.task_token)
    doubled = str(engine.batch.of(job.id)[-1]["jobId"])
    store.change_open_attempt(row, store.AttemptRow.batch_ids.add(known))
    return doubled
