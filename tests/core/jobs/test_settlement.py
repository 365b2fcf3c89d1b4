"""Settle and cancel, on a real DynamoDB and S3."""

from unittest import mock

import pytest

from snapforge.assets.service import gallery
from snapforge.aws import s3, tables
from snapforge.contracts.tickets import CANCELED
from snapforge.jobs import errors
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts, settlement
from snapforge.kit import ids
from tests.core.jobs.engine import Engine, Made, exact

GONE = Outcome(outcome="gone")


@pytest.mark.part("JOB-12")
class TestSettle:
    def test_success_captures_registers_and_tells_in_one(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        seen = queries.get_job(who, job.id)
        assert (seen.price.charged, seen.price.released, seen.price.held) == (2, 0, 0)
        assert seen.results is not None
        assert [file.role for file in seen.results.files] == ["picture", "picture"]
        assert all("Signature=" in file.url for file in seen.results.files)
        assert seen.preview_url is not None
        assert seen.results.notes == ["A stand-in drew noise."]
        assert seen.receipt is not None
        assert (seen.receipt.gpu_seconds, seen.receipt.cost_micro_usd, seen.receipt.instances) == (12.5, 0, ["local"])
        assert {asset.id for asset in gallery.list_job_assets(who.org_id, job.id)} == {
            file.asset_id for file in seen.results.files
        }
        assert engine.news(who) == ["job.submitted", "job.succeeded"]
        exact(who, available=98)

    def test_fewer_pictures_than_ordered_are_charged_for_what_came(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.done(job, batch_id, pictures=1)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        seen = queries.get_job(who, job.id)
        assert (seen.price.charged, seen.price.released) == (1, 1)
        exact(who, available=99)

    def test_files_are_copied_once_however_often_the_end_is_decided_again(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody moves the job between reading and writing: the row is read again, the files are not."""
        who, job = made
        engine.done(job, engine.working(who, job))
        heard = engine.heard(job)
        assert heard is not None
        commits: list[int] = []
        commit = tables.Transaction.commit

        def stale_twice(tx: tables.Transaction) -> None:
            commits.append(1)
            if len(commits) < 3:
                raise tables.Stale
            commit(tx)

        monkeypatch.setattr(tables.Transaction, "commit", stale_twice)
        with mock.patch.object(s3, "copy", wraps=s3.copy) as copy, mock.patch.object(s3, "find", wraps=s3.find) as find:
            engine.settle(who, job, heard)
        assert (len(commits), copy.call_count, find.call_count) == (3, 2, 1)
        exact(who, available=98)

    def test_no_result_is_a_failure_of_ours_and_free(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        prefix = attempts.prefix_uri(job.id, 1, 1)
        assert engine.settle(who, job, Outcome(outcome="done", result_uri=prefix + "result.json")).state == "failed"
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert (failure.code, failure.category) == ("result_unreadable", "bug")
        exact(who, available=100)

    def test_an_empty_and_a_broken_result_are_failures_of_ours(self, engine: Engine) -> None:
        who = engine.customer()
        for body, code in ((None, "nothing_delivered"), (b"{}", "result_unreadable")):
            job = engine.order(who)
            engine.working(who, job)
            uri = engine.results(job, pictures=0)
            if body is not None:
                s3.put(uri, body, "application/json")
            engine.settle(who, job, Outcome(outcome="done", result_uri=uri))
            failure = queries.get_job(who, job.id).failure
            assert failure is not None
            assert failure.code == code
        exact(who, available=100)

    def test_a_partial_result_is_given_and_costs_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        uri = engine.results(job, pictures=1, name="partial.json")
        engine.report(
            job,
            batch_id,
            type="failed",
            category="insufficient_quality",
            code="under_promise",
            message="Too rough.",
            result_uri=uri,
        )
        answer = engine.classify(who, job, engine.heard(job))
        engine.settle(who, job, answer.outcome)
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.price.charged) == (JobState.failed, 0)
        assert seen.results is not None
        assert len(seen.results.files) == 1
        assert seen.receipt is not None
        assert seen.receipt.gpu_seconds == 12.5
        exact(who, available=100)

    def test_an_outcome_that_is_gone_changes_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        assert engine.settle(who, job, GONE).state == "queued"
        assert engine.settle(who, job.model_copy(update={"id": ids.new("job")}), GONE).state == "gone"


@pytest.mark.part("JOB-5")
class TestCancel:
    def test_a_canceled_job_is_free_and_its_work_is_stopped_by_the_news(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        batch_id = engine.working(who, job)
        canceled = settlement.cancel_job(who, job.id)
        assert (canceled.state, canceled.price.charged, canceled.price.released) == (JobState.canceled, 0, 20)
        exact(who, available=100)
        engine.publish(who)
        assert engine.batch.jobs[batch_id]["terminated"]
        assert engine.heard(job) == GONE
        engine.publish(who)

    def test_a_second_cancel_changes_nothing(self, engine: Engine, made: Made) -> None:
        who, job = made
        first, second = settlement.cancel_job(who, job.id), settlement.cancel_job(who, job.id)
        assert first.ended_at == second.ended_at
        assert engine.news(who) == ["job.submitted", "job.canceled"]

    def test_what_has_succeeded_cannot_be_canceled(self, engine: Engine, made: Made) -> None:
        who, job = made
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        with pytest.raises(errors.JobAlreadyEnded) as refused:
            settlement.cancel_job(who, job.id)
        assert refused.value.charged == 2

    def test_what_has_failed_cannot_be_canceled(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.failed(job, engine.working(who, job), "bug")
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        with pytest.raises(errors.JobAlreadyEnded) as refused:
            settlement.cancel_job(who, job.id)
        assert (refused.value.status, refused.value.charged) == (409, 0)
        assert queries.get_job(who, job.id).state == JobState.failed
        exact(who, available=100)

    @pytest.mark.part("JOB-6")
    def test_a_canceled_ticket_is_marked_so_that_no_worker_takes_it_up(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.dispatch(who, job, engine.start(who, job))
        prefix = attempts.prefix_uri(job.id, 1, 1)
        assert not s3.exists(prefix + CANCELED)
        settlement.cancel_job(who, job.id)
        engine.publish(who)
        assert s3.exists(prefix + CANCELED)

    def test_a_job_that_was_canceled_while_it_was_handed_over_is_stopped(
        self, engine: Engine, scene: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = scene
        real = engine.batch.answer

        def canceled_meanwhile(path: str, body: dict[str, object]) -> dict[str, object]:
            if path == "/v1/submitjob":
                settlement.cancel_job(who, job.id)
                attempts.stop_work(job.id, 1)
            return real(path, body)

        monkeypatch.setattr(engine.batch, "answer", canceled_meanwhile)
        engine.dispatch(who, job, engine.start(who, job))
        (submitted,) = engine.batch.of(job.id)
        assert submitted["terminated"]
