"""Check, Dispatch and Classify, on a real DynamoDB, S3 and Step Functions."""

import pytest

from snapforge.aws import s3
from snapforge.contracts.manifest import Manifest
from snapforge.contracts.tickets import CANCELED
from snapforge.jobs import store
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.workflow import Outcome, RunRef
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts, settlement, steps
from snapforge.kit import ids
from tests.core.jobs.engine import Engine, Made, exact, ref

GONE = Outcome(outcome="gone")


@pytest.mark.part("JOB-4")
class TestCheck:
    def test_a_wanted_run_is_dispatched(self, made: Made) -> None:
        answer = steps.check(ref(*made))
        assert (answer.next, answer.attempt) == ("dispatch", 1)

    def test_a_canceled_job_another_run_and_a_strangers_job_end(self, made: Made) -> None:
        who, job = made
        assert steps.check(ref(who, job, run=2)).next == "end"
        assert steps.check(RunRef(org_id=ids.new("org"), job_id=job.id, run=1)).next == "end"
        settlement.cancel_job(who, job.id)
        assert steps.check(ref(who, job)).next == "end"

    def test_a_job_past_its_deadline_is_settled(self, engine: Engine, made: Made) -> None:
        row = engine.row(*made)
        row.deadline = row.created_at
        row.save()
        answer = steps.check(ref(*made))
        assert answer.next == "settle"
        assert answer.outcome.failure is not None
        assert answer.outcome.failure.category == "deadline"


@pytest.mark.part("JOB-4")
class TestClassify:
    def fail(self, engine: Engine, made: Made, category: str, attempt: int = 1) -> Outcome:
        who, job = made
        token = engine.start(who, job) if attempt == 1 else "token"
        engine.dispatch(who, job, token, attempt=attempt)
        batch_id = engine.claim(job, attempt=attempt)
        engine.failed(job, batch_id, category, attempt=attempt)
        row = store.find_attempt(job.id, 1, attempt)
        assert row is not None
        assert row.outcome is not None
        return row.outcome

    def test_three_transient_attempts_then_the_job_fails_and_costs_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        for attempt in (1, 2):
            outcome = self.fail(engine, made, "transient", attempt)
            assert engine.classify(who, job, outcome, attempt=attempt).next == "retry"
        answer = engine.classify(who, job, self.fail(engine, made, "transient", 3), attempt=3)
        assert answer.next == "settle"
        engine.settle(who, job, answer.outcome, attempt=3)
        seen = queries.get_job(who, job.id)
        assert seen.state == JobState.failed
        assert seen.failure is not None
        assert (seen.failure.code, seen.failure.charged, seen.failure.retryable) == ("it_broke", 0, True)
        assert seen.receipt is not None
        assert seen.receipt.attempts == 3
        exact(who, available=100)

    def test_a_doubled_classify_makes_one_next_attempt(self, engine: Engine, made: Made) -> None:
        who, job = made
        outcome = self.fail(engine, made, "transient")
        assert engine.classify(who, job, outcome).next == "retry"
        assert engine.classify(who, job, outcome).next == "retry"
        assert engine.row(who, job).attempt == 2

    def test_the_next_attempt_goes_on_from_the_last_and_batch_stops_trying(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        outcome = self.fail(engine, scene, "transient")
        engine.classify(who, job, outcome)
        assert engine.batch.of(job.id)[0]["terminated"]
        engine.dispatch(who, job, "token", attempt=2)
        manifest = Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, 2) + "manifest.json"))
        assert manifest.resume_uri == attempts.prefix_uri(job.id, 1, 1)
        assert not manifest.reduced

    @pytest.mark.part("JOB-6")
    def test_the_ticket_of_a_failed_attempt_is_marked_before_the_next_is_sent(self, engine: Engine, made: Made) -> None:
        """A worker that has it again, or late, leaves it."""
        who, job = made
        outcome = self.fail(engine, made, "transient")
        assert not s3.exists(attempts.prefix_uri(job.id, 1, 1) + CANCELED)
        assert engine.classify(who, job, outcome).next == "retry"
        assert s3.exists(attempts.prefix_uri(job.id, 1, 1) + CANCELED)

    def test_out_of_memory_goes_on_reduced(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.classify(who, job, self.fail(engine, made, "out_of_memory"))
        engine.dispatch(who, job, "token", attempt=2)
        manifest = Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, 2) + "manifest.json"))
        assert manifest.reduced

    def test_the_customers_fault_is_not_tried_again(self, engine: Engine, made: Made) -> None:
        who, job = made
        answer = engine.classify(who, job, self.fail(engine, made, "input"))
        assert answer.next == "settle"
        engine.settle(who, job, answer.outcome)
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert not failure.retryable
        exact(who, available=100)

    def test_a_stale_attempt_that_reports_after_its_successor_changes_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        outcome = self.fail(engine, made, "transient")
        stale = engine.worker(job)
        engine.classify(who, job, outcome)
        engine.dispatch(who, job, "token", attempt=2)
        batch_id = engine.claim(job, attempt=2)
        engine.progress(job, batch_id, 50, attempt=2)
        engine.progress(job, stale, 80)
        engine.done(job, stale)
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.attempt, seen.progress.percent) == (JobState.running, 2, 50)
        assert engine.settle(who, job, Outcome(outcome="done", result_uri="s3://a/b"), attempt=1).state == "running"
        engine.done(job, batch_id, attempt=2)
        row = store.find_attempt(job.id, 1, 2)
        assert row is not None
        assert row.outcome is not None
        assert engine.settle(who, job, row.outcome, attempt=2).state == "succeeded"
        exact(who, available=98)

    def test_the_percent_stands_until_the_next_attempt_passes_it(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        batch_id = engine.claim(job)
        engine.progress(job, batch_id, 70)
        engine.failed(job, batch_id, "transient")
        engine.classify(who, job, engine.heard(job))
        waiting = queries.get_job(who, job.id)
        assert (waiting.progress.percent, waiting.progress.stage, waiting.attempt) == (70, "queued", 2)
        engine.dispatch(who, job, "token", attempt=2)
        engine.claim(job, attempt=2)
        seen = queries.get_job(who, job.id)
        assert (seen.progress.percent, seen.progress.stage) == (70, "draw")

    def test_what_step_functions_caught_is_classified_by_its_name(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, "token")
        answer = engine.classify(who, job, None, error="States.Timeout")
        assert answer.next == "settle"
        assert answer.outcome.failure is not None
        assert answer.outcome.failure.category == "deadline"

    def test_a_result_that_came_before_the_time_out_was_classified_counts(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        answer = engine.classify(who, job, None, error="States.Timeout")
        assert (answer.next, answer.outcome.outcome) == ("settle", "done")

    def test_a_job_that_ended_meanwhile_needs_no_classification(self, engine: Engine, made: Made) -> None:
        who, job = made
        outcome = self.fail(engine, made, "transient")
        settlement.cancel_job(who, job.id)
        assert engine.classify(who, job, outcome).next == "end"
