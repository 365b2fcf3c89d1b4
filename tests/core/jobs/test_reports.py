"""What workers and Batch tell, on a real DynamoDB, S3 and Step Functions."""

import pytest

from snapforge.jobs import schemas, store
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import settlement, steps
from snapforge.jobs.service.submission import submit
from tests.core.jobs.engine import Engine, Made, exact, idempotency_key, ref


def gave_up(engine: Engine, job: schemas.Job, batch_id: str, uri: str) -> None:
    """The worker tells that it has stopped for a cancel, and that what it used stands at `uri`."""
    said = "The job was canceled."
    engine.report(job, batch_id, type="failed", category="canceled", code="canceled", message=said, result_uri=uri)


@pytest.mark.part("JOB-5")
class TestReports:
    def test_progress_is_told_and_never_falls(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.progress.percent, seen.progress.stage) == (JobState.running, 10, "draw")
        assert seen.started_at is not None
        engine.progress(job, batch_id, 60, stage="upload")
        engine.progress(job, batch_id, 40)
        seen = queries.get_job(who, job.id)
        assert (seen.progress.percent, seen.progress.stage, seen.progress.eta_seconds) == (60, "upload", 9)

    def test_the_deadline_counts_from_the_begin_of_work(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        deadline = queries.get_job(who, job.id).deadline
        assert deadline is not None
        assert job.deadline is not None
        assert deadline < job.deadline

    def test_a_stranger_and_an_unknown_attempt_change_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        engine.progress(job, "a-stranger", 90)
        engine.progress(job, "whoever", 90, attempt=2)
        assert queries.get_job(who, job.id).progress.percent == 10

    def test_reports_told_twice_and_late_end_a_job_once(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        engine.done(job, batch_id)
        engine.failed(job, batch_id, "bug")
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "done"
        assert engine.settle(who, job, heard).state == "succeeded"
        assert engine.settle(who, job, heard).state == "succeeded"
        engine.progress(job, batch_id, 99)
        engine.failed(job, batch_id, "bug")
        assert store.find_job_with_progress(who.org_id, job.id) is not None
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.progress.percent) == (JobState.succeeded, 100)
        exact(who, available=98)

    def test_a_report_after_the_job_was_canceled_changes_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        settlement.cancel_job(who, job.id)
        engine.progress(job, batch_id, 50)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        assert engine.settle(who, job, heard).state == "canceled"
        exact(who, available=100)

    @pytest.mark.part("JOB-12")
    def test_what_a_canceled_attempt_cost_comes_onto_the_receipt_when_it_is_told(
        self, engine: Engine, made: Made
    ) -> None:
        """At the cancel only the clock is known. JobState, money and news stay; told twice it counts once."""
        who, job = made
        batch_id = engine.working(who, job)
        settlement.cancel_job(who, job.id)
        engine.publish(who)
        guessed = queries.get_job(who, job.id)
        assert guessed.receipt is not None
        assert (guessed.receipt.instances, guessed.receipt.cost_micro_usd) == (["unknown"], None)
        gave_up(engine, job, batch_id, engine.results(job, name="partial.json"))
        gave_up(engine, job, batch_id, engine.results(job, name="partial.json"))
        seen = queries.get_job(who, job.id)
        assert seen.receipt is not None
        assert (seen.receipt.gpu_seconds, seen.receipt.instances, seen.receipt.cost_micro_usd) == (12.5, ["local"], 0)
        assert (seen.state, seen.price, seen.ended_at) == (guessed.state, guessed.price, guessed.ended_at)
        assert engine.news(who) == []
        exact(who, available=100)

    @pytest.mark.part("JOB-12")
    @pytest.mark.parametrize("told", ["before the cancel", "before its news"])
    def test_what_is_told_around_a_cancel_is_on_the_receipt(self, engine: Engine, made: Made, told: str) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        partial = engine.results(job, name="partial.json")
        if told == "before the cancel":
            gave_up(engine, job, batch_id, partial)
        settlement.cancel_job(who, job.id)
        if told == "before its news":
            gave_up(engine, job, batch_id, partial)
        engine.publish(who)
        receipt = queries.get_job(who, job.id).receipt
        assert receipt is not None
        assert (receipt.gpu_seconds, receipt.instances, receipt.cost_micro_usd) == (12.5, ["local"], 0)
        exact(who, available=100)

    @pytest.mark.part("JOB-12")
    def test_a_canceled_attempts_word_of_a_file_elsewhere_is_not_read(self, engine: Engine, made: Made) -> None:
        """Nor does the first run's cost come onto the second run's receipt."""
        who, job = made
        batch_id = engine.working(who, job)
        settlement.cancel_job(who, job.id)
        engine.publish(who)
        before = queries.get_job(who, job.id).receipt
        partial = engine.results(job, name="partial.json")
        gave_up(engine, job, batch_id, partial.replace("/1/1/", "/1/2/"))
        assert queries.get_job(who, job.id).receipt == before
        submit.retry_job(who, job.id, idempotency_key(who, "again"))
        gave_up(engine, job, batch_id, partial)
        again = queries.get_job(who, job.id)
        assert (again.run, again.receipt) == (2, None)


@pytest.mark.part("JOB-4")
class TestSilentDeaths:
    def test_a_worker_that_died_without_a_word_is_tried_again(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.batch.end(batch_id, "FAILED", 137, "Essential container in task exited")
        engine.batch_event(batch_id)
        engine.batch_event(batch_id)
        heard = engine.heard(job)
        answer = engine.classify(who, job, heard)
        assert answer.next == "retry"
        assert answer.wait_seconds >= 1
        assert steps.check(ref(who, job)).attempt == 2

    def test_a_worker_that_died_after_its_result_has_succeeded(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.results(job)
        engine.batch.end(batch_id, "FAILED", 137)
        engine.batch_event(batch_id)
        heard = engine.heard(job)
        assert heard is not None
        assert heard.outcome == "done"

    def test_a_job_that_still_works_is_left_alone(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.batch_event(batch_id)
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        assert row.outcome is None

    @pytest.mark.parametrize("name", ["nightly-report", "{}-1-1-again", "again-{}-1-1", "{}-1-2", "{}-2-1"])
    def test_state_changes_of_other_batch_jobs_are_none_of_ours(self, engine: Engine, scene: Made, name: str) -> None:
        """Also while an end of ours is still unknown: it is told by its own name alone."""
        who, job = scene
        worker = engine.working(who, job)
        engine.batch.end(worker, "FAILED", 137)
        engine.batch.jobs["other"] = {"jobId": "other", "jobName": name.format(job.id), "status": "FAILED"}
        engine.batch_event("other")
        row = store.find_attempt(job.id, 1, 1)
        assert row is not None
        assert row.outcome is None
        engine.batch_event(worker)
        assert engine.heard(job) is not None
