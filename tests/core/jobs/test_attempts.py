"""What one attempt leaves to the next, and all of them to the run's end: time, places to resume from, cost, results."""

from datetime import timedelta
from typing import Any

import pytest

from snapforge.assets import errors as assets_errors
from snapforge.assets.store import CaptureRow
from snapforge.aws import s3, tables
from snapforge.billing.service import ledger
from snapforge.contracts.manifest import LoraWork, Manifest
from snapforge.contracts.results import Result
from snapforge.jobs import schemas
from snapforge.jobs.domain import deadlines
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts, reconciler, settlement, steps
from snapforge.jobs.service.submission import previews, submit
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal
from tests.core.jobs.captures import capture
from tests.core.jobs.engine import Engine, Made, exact, idempotency_key, ref
from tests.core.jobs.trained import order_lora


def manifest(job: schemas.Job, attempt: int) -> Manifest:
    """The work order of an attempt of the first run."""
    return Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, attempt) + "manifest.json"))


def fail(engine: Engine, made: Made, attempt: int, *, left: str | None = None) -> None:
    """The attempt is dispatched, begun and lost; `left` is what its worker says it used."""
    who, job = made
    engine.dispatch(who, job, "token", attempt=attempt)
    worker = engine.claim(job, attempt=attempt)
    told: dict[str, Any] = {"category": "transient", "code": "it_broke", "message": "It broke.", "result_uri": left}
    engine.report(job, worker, attempt=attempt, type="failed", **told)
    outcome = Outcome.model_validate({"outcome": "failed", "failure": told})
    assert engine.classify(who, job, outcome, attempt=attempt).next == "retry"


@pytest.mark.part("JOB-4", "JOB-11")
class TestNextAttempt:
    def test_it_has_the_whole_time_to_wait_for_a_machine_again(
        self, engine: Engine, scene: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though the attempt before was cut off at the end of its own."""
        who, job = scene
        engine.failed(job, engine.working(who, job), "transient")
        later = clock.now().replace(microsecond=0) + timedelta(minutes=59)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert engine.classify(who, job, engine.heard(job)).next == "retry"
        row = engine.row(who, job)
        assert row.deadline == later + deadlines.SCENE["draft"].queue
        assert row.deadline_at == later + deadlines.LOOK_EVERY

    def test_it_is_in_time_until_its_deadline_and_not_at_it(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deadline = engine.row(*made).deadline
        assert deadline is not None
        for now, then in ((deadline - timedelta(seconds=1), "dispatch"), (deadline, "settle")):
            monkeypatch.setattr("snapforge.kit.clock.now", lambda now=now: now)
            assert steps.check(ref(*made)).next == then

    def test_it_resumes_from_the_one_before_it_and_not_from_the_first(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        fail(engine, scene, 1)
        fail(engine, scene, 2)
        engine.dispatch(who, job, "token", attempt=3)
        assert manifest(job, 3).resume_uri == attempts.prefix_uri(job.id, 1, 2)

    def test_the_job_began_when_its_first_attempt_did(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        fail(engine, made, 1)
        began = queries.get_job(who, job.id).started_at
        later = clock.now() + timedelta(minutes=10)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        engine.dispatch(who, job, "token", attempt=2)
        engine.claim(job, attempt=2)
        assert queries.get_job(who, job.id).started_at == began
        row = engine.row(who, job)
        assert (row.deadline, row.deadline_at) == (later + deadlines.IMAGE.run, later + deadlines.LOOK_EVERY)
        uri = engine.results(job, attempt=2)
        engine.settle(who, job, Outcome(outcome="done", result_uri=uri), attempt=2)
        assert queries.get_job(who, job.id).started_at == began


@pytest.mark.part("JOB-12")
class TestCost:
    @pytest.mark.parametrize("end", ["succeeded", "failed", "canceled"])
    def test_the_receipt_holds_what_every_attempt_used(self, engine: Engine, made: Made, end: str) -> None:
        who, job = made
        fail(engine, made, 1, left=engine.results(job, name="partial.json"))
        engine.dispatch(who, job, "token", attempt=2)
        worker = engine.claim(job, attempt=2)
        if end == "succeeded":
            uri = engine.results(job, attempt=2)
            engine.settle(who, job, Outcome(outcome="done", result_uri=uri), attempt=2)
        else:
            left = engine.results(job, attempt=2, name="partial.json")
            told: dict[str, Any] = {"category": "bug", "code": "it_broke", "message": "It broke.", "result_uri": left}
            engine.report(job, worker, attempt=2, type="failed", **told)
            if end == "canceled":
                settlement.cancel_job(who, job.id)
            else:
                outcome = Outcome.model_validate({"outcome": "failed", "failure": told})
                engine.settle(who, job, outcome, attempt=2)
        seen = queries.get_job(who, job.id)
        assert seen.receipt is not None
        assert (seen.state, seen.receipt.gpu_seconds, seen.receipt.attempts) == (end, 25, 2)

    def test_what_broke_on_our_side_gives_no_results_though_it_left_some(self, engine: Engine, made: Made) -> None:
        """Only what is honestly told to be too rough is given away."""
        who, job = made
        engine.working(who, job)
        left = engine.results(job, pictures=1, name="partial.json")
        told: dict[str, Any] = {"category": "bug", "code": "it_broke", "message": "It broke.", "result_uri": left}
        engine.settle(who, job, Outcome.model_validate({"outcome": "failed", "failure": told}))
        seen = queries.get_job(who, job.id)
        assert (seen.state, seen.results, seen.preview_url) == ("failed", None, None)
        exact(who, available=100)

    def test_only_pictures_are_charged_not_what_lies_beside_them(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        uri = engine.results(job, pictures=2)
        result = Result.model_validate_json(s3.get(uri))
        one, other = result.files
        beside = result.model_copy(update={"files": (one, other.model_copy(update={"role": "preview"}))})
        s3.put(uri, beside.model_dump_json().encode(), "application/json")
        engine.settle(who, job, Outcome(outcome="done", result_uri=uri))
        assert queries.get_job(who, job.id).price.charged == 1
        exact(who, available=99)

    def test_half_of_a_quoted_order_is_charged_by_half(self, engine: Engine) -> None:
        who = engine.customer()
        order: dict[str, Any] = {"kind": "image", "prompt": "a kingfisher", "count": 4}
        quote = previews.preview_job(who, schemas.ImagePreview.model_validate(order)).quote
        job = engine.order(who, **order, quote=quote)
        engine.working(who, job)
        engine.settle(who, job, Outcome(outcome="done", result_uri=engine.results(job, pictures=2)))
        assert job.price.quoted
        exact(who, available=98)


@pytest.mark.part("JOB-4", "JOB-12")
class TestWhatAWorkerSays:
    def test_a_done_leads_to_its_own_result_whatever_address_it_tells(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        engine.report(job, worker, type="done", result_uri="s3://elsewhere/result.json")
        heard = engine.heard(job)
        assert heard is not None
        assert heard.result_uri == attempts.prefix_uri(job.id, 1, 1) + "result.json"

    def test_a_failures_file_of_another_attempt_is_not_kept(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        elsewhere = attempts.prefix_uri(job.id, 1, 2) + "partial.json"
        told: dict[str, Any] = {"category": "bug", "code": "it_broke", "message": "It broke."}
        engine.report(job, worker, type="failed", **told, result_uri=elsewhere)
        heard = engine.heard(job)
        assert heard is not None
        assert heard.failure is not None
        assert heard.failure.result_uri is None

    def test_a_result_of_another_attempt_at_the_right_place_is_none(self, engine: Engine, made: Made) -> None:
        who, job = made
        engine.working(who, job)
        uri = engine.results(job)
        other = Result.model_validate_json(s3.get(uri)).model_copy(update={"attempt": 2})
        s3.put(uri, other.model_dump_json().encode(), "application/json")
        assert engine.settle(who, job, Outcome(outcome="done", result_uri=uri)).state == "failed"
        exact(who, available=100)

    def test_a_long_message_is_cut(self, engine: Engine, made: Made) -> None:
        who, job = made
        worker = engine.working(who, job)
        engine.report(job, worker, type="progress", stage="draw", percent=20, message="m" * 501)
        assert queries.get_job(who, job.id).progress.message == "m" * 500


@pytest.mark.part("JOB-3", "JOB-5")
class TestCapturesOfJobs:
    @pytest.mark.parametrize("kind", ["scene", "lora"])
    def test_a_retry_of_photos_that_are_not_the_same_any_more_starts_nothing(self, engine: Engine, kind: str) -> None:
        who = engine.customer()
        photos = capture(who, photos=12)
        job = engine.order_scene(who, capture_id=photos) if kind == "scene" else order_lora(who, capture_id=photos)
        settlement.cancel_job(who, job.id)
        grown(who, photos)
        with pytest.raises(assets_errors.CaptureNotReady):
            submit.retry_job(who, job.id, idempotency_key(who, ids.new("event")))
        assert (engine.row(who, job).run, ledger.balance(who.org_id).held) == (1, 0)

    def test_captions_go_with_their_photos_and_the_seed_is_the_orders(self, engine: Engine) -> None:
        who = engine.customer()
        job = order_lora(who, captions={"0003.jpg": "third", "0001.jpg": "first"}, seed=7)
        engine.dispatch(who, job, "token")
        work = manifest(job, 1).work
        assert isinstance(work, LoraWork)
        told = {photo.name: caption for photo, caption in zip(work.photos, work.captions, strict=True) if caption}
        assert told == {"0001.jpg": "first", "0003.jpg": "third"}
        assert work.seed == 7

    def test_batch_ends_an_attempt_after_the_time_to_run_it(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.dispatch(who, job, "token")
        (sent,) = engine.batch.of(job.id)
        assert sent["asked"]["timeout"]["attemptDurationSeconds"] == deadlines.SCENE["draft"].run.total_seconds()

    def test_a_late_job_that_told_nothing_says_that_it_was_late(self, engine: Engine, scene: Made) -> None:
        who, job = scene
        engine.working(who, job)
        row = engine.row(who, job)
        row.deadline = clock.now() - timedelta(seconds=1)
        row.save()
        assert reconciler.reconcile(row) == "fail_deadline"
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert (failure.code, failure.charged) == ("deadline_exceeded", 0)


def grown(who: Principal, capture_id: str) -> None:
    """Another photo has come since."""
    row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
    assert row is not None
    row.version += 1
    row.save()
