"""Create, preview, retry and list, on a real DynamoDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from snapforge.assets import errors as assets_errors
from snapforge.assets.domain import Facts
from snapforge.assets.store import CaptureRow, PhotoRow
from snapforge.aws import tables
from snapforge.aws.idempotency import KeyReused, Replay
from snapforge.billing import service as billing
from snapforge.billing.errors import InsufficientCredits
from snapforge.jobs import errors, schemas, store
from snapforge.jobs import service as jobs
from snapforge.jobs.domain import quotes
from snapforge.jobs.domain.life import State
from snapforge.jobs.workflow import Outcome
from snapforge.kit import clock, ids
from snapforge.kit.page import InvalidCursor
from snapforge.kit.permissions import Principal
from tests.core.jobs.engine import Engine, idempotency_key


@contextmanager
def counted() -> Iterator[list[str]]:
    """The DynamoDB calls made inside, by name."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    events = tables.connection().client.meta.events
    events.register("before-call.dynamodb", note, unique_id="counted")
    try:
        yield calls
    finally:
        events.unregister("before-call.dynamodb", unique_id="counted")


def image(**more: Any) -> schemas.ImageCreate:
    return schemas.ImageCreate.model_validate({"kind": "image", "prompt": "a kingfisher", "count": 2} | more)


def capture(who: Principal, *, photos: int = 24, pending: int = 0, refused: int = 0) -> str:
    """A capture as the assets context keeps it."""
    capture_id = ids.new("capture")
    CaptureRow(
        f"org#{who.org_id}",
        f"capture#{capture_id}",
        id=capture_id,
        org_id=who.org_id,
        name="kingfisher",
        created_at=clock.rfc3339(clock.now()),
        version=photos + 1,
        expected=photos + pending + refused,
        pending=pending,
        usable=photos,
        refused=refused,
    ).save()
    for number in range(photos):
        add_photo(who, capture_id, number)
    for number in range(refused):
        PhotoRow(
            f"capture#{capture_id}",
            f"photo#r{number}",
            id=f"r{number}",
            org_id=who.org_id,
            name=f"notes-{number}.jpg",
            code="not_a_photo",
            reason="It is a text file.",
            fix="Send a photo.",
        ).save()
    return capture_id


def add_photo(who: Principal, capture_id: str, number: int) -> None:
    """A checked photo; every second one tells its focal length, photo 0 is dark."""
    facts = Facts(
        media_type="image/jpeg",
        bytes=1,
        sha256=f"{number:064x}",
        original_width=1600,
        original_height=1200,
        width=1600,
        height=1200,
        alpha=False,
        focal_px=1400.0 if number % 2 else None,
        sharpness=500,
        mean=20 if number == 0 else 120,
        clipped_dark=0,
        clipped_bright=0,
        phash=f"{(2 ** (number % 250) - 1):064x}" if number % 2 else f"{(2**256 - 2 ** (number % 250)):064x}",
    )
    PhotoRow(
        f"capture#{capture_id}",
        f"photo#{number:04d}",
        id=f"{number:04d}",
        org_id=who.org_id,
        name=f"{number:04d}.jpg",
        key=f"captures/{capture_id}/{number:04d}.jpg",
        facts=facts.model_dump_json(),
    ).save()


@pytest.mark.part("JOB-3")
class TestCreate:
    def test_job_hold_and_news_are_one_transaction_of_two_calls(self, engine: Engine) -> None:
        who = engine.customer()
        with counted() as calls:
            job = jobs.create_job(who, image(), idempotency_key(who, "k"))
        assert calls == ["GetItem", "TransactWriteItems"]
        assert (job.state, job.price.credits, job.price.held, job.run, job.attempt) == (State.queued, 2, 2, 1, 1)
        assert job.progress.eta_seconds == job.predicted_seconds
        balance = billing.balance(who.org_id)
        assert (balance.available, balance.held) == (98, 2)
        assert engine.news(who) == ["job.submitted"]

    def test_the_same_key_answers_the_same_job(self, engine: Engine) -> None:
        who = engine.customer()
        job = jobs.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(Replay) as replay:
            jobs.create_job(who, image(), idempotency_key(who, "k"))
        assert (replay.value.status, replay.value.headers) == (201, {"location": f"/v1/jobs/{job.id}"})
        assert replay.value.body == job.model_dump_json(exclude_none=True)
        assert billing.balance(who.org_id).held == 2

    def test_another_body_under_the_same_key_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        jobs.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(KeyReused):
            jobs.create_job(who, image(count=3), idempotency_key(who, "k", "another"))

    def test_the_first_answer_is_replayed_though_its_credits_are_gone(self, engine: Engine) -> None:
        who = engine.customer(2)
        job = jobs.create_job(who, image(), idempotency_key(who, "k"))
        with pytest.raises(Replay) as replay:
            jobs.create_job(who, image(), idempotency_key(who, "k"))
        assert job.id in replay.value.body
        with pytest.raises(KeyReused):
            jobs.create_job(who, image(count=3), idempotency_key(who, "k", "another"))

    def test_too_few_credits_start_nothing_and_name_the_shortfall(self, engine: Engine) -> None:
        who = engine.customer(1)
        with pytest.raises(InsufficientCredits) as refused:
            jobs.create_job(who, image(), idempotency_key(who, "k"))
        assert refused.value.extra["shortfall"] == 1
        assert jobs.list_jobs(who, schemas.JobsQuery()).items == []
        assert engine.news(who) == []

    def test_a_refused_key_works_once_there_are_credits(self, engine: Engine) -> None:
        who = engine.customer(1)
        with pytest.raises(InsufficientCredits):
            jobs.create_job(who, image(), idempotency_key(who, "k"))
        billing.grant(who.org_id, credits=5, kind="pack", key="more", memo="Pack")
        assert jobs.create_job(who, image(), idempotency_key(who, "k")).state == State.queued

    def test_a_random_seed_is_drawn_and_told(self, engine: Engine) -> None:
        who = engine.customer()
        seeds = set()
        for number in range(3):
            made = jobs.create_job(who, image(), idempotency_key(who, f"k{number}")).parameters
            assert made.kind == "image"
            seeds.add(made.seed)
        assert len(seeds) == 3


@pytest.mark.part("JOB-2")
class TestQuotes:
    def test_a_quote_is_honoured_whatever_the_price_is_now(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        preview = jobs.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2))
        assert (preview.status, preview.can_start, preview.credits) == ("ready", True, 2)
        assert preview.money == schemas.Money(amount=2, currency="EUR")
        monkeypatch.setattr("snapforge.jobs.domain.pricing.MEGAPIXEL", 2**19)
        dear = jobs.create_job(who, image(), idempotency_key(who, "k1"))
        quoted = jobs.create_job(who, image(quote=preview.quote), idempotency_key(who, "k2"))
        assert (quoted.price.credits, quoted.price.quoted) == (2, True)
        assert dear.price.credits > 2
        assert not dear.price.quoted

    def test_a_quote_of_another_order_or_org_or_of_yesterday_does_not_count(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who = engine.customer()
        other = jobs.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=1)).quote
        strangers = jobs.preview_job(
            engine.customer(), schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2)
        ).quote
        mine = jobs.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher", count=2)).quote
        for number, quote in enumerate((other, strangers, "nonsense")):
            job = jobs.create_job(who, image(quote=quote), idempotency_key(who, f"k{number}"))
            assert (job.price.credits, job.price.quoted) == (2, False)
        later = clock.now() + quotes.VALID
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert not jobs.create_job(who, image(quote=mine), idempotency_key(who, "late")).price.quoted

    def test_a_preview_costs_no_call_for_pictures(self, engine: Engine) -> None:
        who = engine.customer()
        with counted() as calls:
            jobs.preview_job(who, schemas.ImagePreview(kind="image", prompt="a kingfisher"))
        assert calls == []


@pytest.mark.part("JOB-2")
class TestScenes:
    def order(self, capture_id: str, **more: Any) -> schemas.SceneCreate:
        return schemas.SceneCreate(kind="scene", capture_id=capture_id, **more)

    def preview(self, who: Principal, capture_id: str) -> schemas.Preview:
        return jobs.preview_job(who, schemas.ScenePreview(kind="scene", capture_id=capture_id))

    def test_the_pre_flight_names_what_was_measured(self, engine: Engine) -> None:
        who = engine.customer()
        preview = self.preview(who, capture(who, refused=1))
        assert (preview.photos_usable, preview.photos_refused, preview.credits) == (24, 1, 20)
        found = {(finding.photo, finding.code) for finding in preview.findings}
        assert ("0000.jpg", "dark") in found
        assert ("notes-0.jpg", "refused") in found

    def test_one_photo_is_refused_before_it_costs(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who, photos=1)
        preview = self.preview(who, capture_id)
        assert (preview.can_start, preview.quote) == (False, None)
        assert preview.findings[0].severity == "blocker"
        with pytest.raises(errors.CaptureNotUsable) as refused:
            jobs.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        assert refused.value.extra["reason"] == "too_few_photos"
        assert refused.value.charged == 0
        assert billing.balance(who.org_id).held == 0

    def test_while_photos_are_measured_the_preview_is_polled(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who, pending=2)
        preview = self.preview(who, capture_id)
        assert (preview.status, preview.can_start) == ("checking", False)
        assert preview.id is not None
        assert jobs.get_preview(who, preview.id).status == "checking"
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.pending = 0
        row.expected = row.usable
        row.save()
        ready = jobs.get_preview(who, preview.id)
        assert (ready.status, ready.can_start, ready.id) == ("ready", True, None)

    def test_an_empty_capture_is_told_so(self, engine: Engine) -> None:
        who = engine.customer()
        preview = self.preview(who, capture(who, photos=0))
        assert (preview.status, preview.can_start) == ("ready", False)

    def test_a_preview_is_its_orgs_own(self, engine: Engine) -> None:
        who = engine.customer()
        preview = self.preview(who, capture(who, pending=1))
        assert preview.id is not None
        for stranger, preview_id in ((engine.customer(), preview.id), (who, ids.new("preview")), (who, "prv_")):
            with pytest.raises(errors.PreviewNotFound):
                jobs.get_preview(stranger, preview_id)
        with pytest.raises(assets_errors.CaptureNotFound):
            self.preview(engine.customer(), capture(who))

    def test_a_quoted_scene_takes_two_calls_and_an_unquoted_one_four(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        quote = self.preview(who, capture_id).quote
        with counted() as calls:
            job = jobs.create_job(who, self.order(capture_id, quote=quote), idempotency_key(who, "k1"))
        assert calls == ["GetItem", "TransactWriteItems"]
        assert (job.price.credits, job.price.quoted) == (20, True)
        with counted() as calls:
            jobs.create_job(who, self.order(capture_id), idempotency_key(who, "k2"))
        assert calls == ["GetItem", "Query", "GetItem", "TransactWriteItems"]

    def test_a_capture_that_changed_since_the_quote_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        quote = self.preview(who, capture_id).quote
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.version += 1
        row.save()
        with pytest.raises(assets_errors.CaptureNotReady):
            jobs.create_job(who, self.order(capture_id, quote=quote), idempotency_key(who, "k"))
        assert billing.balance(who.org_id).held == 0

    def test_a_capture_under_check_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        with pytest.raises(assets_errors.CaptureNotReady):
            jobs.create_job(who, self.order(capture(who, pending=1)), idempotency_key(who, "k"))

    def test_the_worker_gets_the_photos_that_were_paid_for(self, engine: Engine) -> None:
        from snapforge.aws import s3
        from snapforge.contracts.manifest import Manifest, SceneWork
        from snapforge.jobs import attempts

        who = engine.customer()
        capture_id = capture(who)
        job = jobs.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        add_photo(who, capture_id, 24)
        engine.dispatch(who, job, "token")
        work = Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, 1) + "manifest.json")).work
        assert isinstance(work, SceneWork)
        assert [photo.name for photo in work.photos] == [f"{number:04d}.jpg" for number in range(24)]
        assert work.photos[1].focal_px == 1400.0

    def test_a_capture_that_is_gone_ends_the_job_free(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        job = jobs.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        CaptureRow(f"org#{who.org_id}", f"capture#{capture_id}").delete()
        engine.dispatch(who, job, engine.start(who, job))
        heard = engine.heard(job)
        answer = engine.classify(who, job, heard)
        engine.settle(who, job, answer.outcome)
        failure = jobs.get_job(who, job.id).failure
        assert failure is not None
        assert failure.code == "capture_gone"
        assert billing.balance(who.org_id).available == 100


@pytest.mark.part("JOB-5")
class TestRetry:
    def ended(self, engine: Engine, state: str) -> tuple[Principal, schemas.Job]:
        who = engine.customer()
        job = engine.order(who)
        batch_id = engine.working(who, job)
        if state == "canceled":
            jobs.cancel_job(who, job.id)
        else:
            engine.failed(job, batch_id, "bug")
            heard = engine.heard(job)
            assert isinstance(heard, Outcome)
            engine.settle(who, job, heard)
        return who, job

    @pytest.mark.parametrize("state", ["failed", "canceled"])
    def test_a_new_run_has_a_new_hold_and_can_succeed(self, engine: Engine, state: str) -> None:
        who, job = self.ended(engine, state)
        again = jobs.retry_job(who, job.id, idempotency_key(who, "again"))
        assert (again.state, again.run, again.attempt, again.failure) == (State.queued, 2, 1, None)
        assert again.parameters == job.parameters
        assert billing.balance(who.org_id).held == 2
        assert engine.news(who)[-1] == "job.retried"
        batch_id = engine.working(who, again, run=2)
        engine.done(again, batch_id, run=2)
        heard = engine.heard(again, run=2)
        assert heard is not None
        engine.settle(who, again, heard, run=2)
        assert jobs.get_job(who, job.id).state == State.succeeded
        assert (billing.balance(who.org_id).available, billing.audit(who.org_id)) == (98, [])

    def test_reports_of_the_first_run_do_not_reach_the_second(self, engine: Engine) -> None:
        who, job = self.ended(engine, "canceled")
        jobs.retry_job(who, job.id, idempotency_key(who, "again"))
        stale = str(engine.batch.of(job.id)[0]["jobId"])
        engine.progress(job, stale, 90)
        engine.done(job, stale)
        seen = jobs.get_job(who, job.id)
        assert (seen.state, seen.progress.percent) == (State.queued, 0)
        assert engine.settle(who, job, Outcome(outcome="done", result_uri="s3://a/b")).state == "queued"

    def test_the_same_key_answers_the_same_run(self, engine: Engine) -> None:
        who, job = self.ended(engine, "failed")
        again = jobs.retry_job(who, job.id, idempotency_key(who, "again"))
        with pytest.raises(Replay) as replay:
            jobs.retry_job(who, job.id, idempotency_key(who, "again"))
        assert replay.value.body == again.model_dump_json(exclude_none=True)

    def test_what_is_under_way_cannot_be_retried(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        with pytest.raises(errors.JobNotRetryable):
            jobs.retry_job(who, job.id, idempotency_key(who, "again"))

    def test_a_strangers_job_is_not_found(self, engine: Engine) -> None:
        who, stranger = engine.customer(), engine.customer()
        job = engine.order(who)
        for job_id in (job.id, "job_", ids.new("job")):
            with pytest.raises(errors.JobNotFound):
                jobs.retry_job(stranger, job_id, idempotency_key(stranger, "again"))
            with pytest.raises(errors.JobNotFound):
                jobs.cancel_job(stranger, job_id)
            with pytest.raises(errors.JobNotFound):
                jobs.get_job(stranger, job_id)


@pytest.mark.part("JOB-5")
class TestReading:
    def test_a_read_is_one_call_with_or_without_progress(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        engine.working(who, job)
        with counted() as calls:
            assert jobs.get_job(who, job.id).progress.percent == 10
        assert calls == ["Query"]
        with counted() as calls:
            jobs.list_jobs(who, schemas.JobsQuery())
        assert calls == ["Query"]

    def test_lists_are_newest_first_with_progress_and_pages(self, engine: Engine) -> None:
        who = engine.customer()
        made = [engine.order(who, prompt=f"picture {number}") for number in range(5)]
        engine.working(who, made[3])
        seen: list[schemas.JobSummary] = []
        cursor = None
        while True:
            page = jobs.list_jobs(who, schemas.JobsQuery(limit=2, cursor=cursor))
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [job.id for job in seen] == [job.id for job in reversed(made)]
        assert [job.progress.percent for job in seen] == [0, 10, 0, 0, 0]

    def test_filters_find_by_kind_and_state(self, engine: Engine) -> None:
        who = engine.customer()
        first, second = engine.order(who), engine.order(who)
        jobs.cancel_job(who, first.id)
        found = jobs.list_jobs(who, schemas.JobsQuery(state=State.canceled))
        assert [job.id for job in found.items] == [first.id]
        assert [job.id for job in jobs.list_jobs(who, schemas.JobsQuery(state=State.queued)).items] == [second.id]
        assert jobs.list_jobs(who, schemas.JobsQuery(kind="scene")).items == []
        assert len(jobs.list_jobs(who, schemas.JobsQuery(kind="image")).items) == 2

    def test_a_filtered_page_has_a_budget_and_goes_on_from_its_cursor(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("snapforge.jobs.reading.BUDGET", 2)
        who = engine.customer()
        made = [engine.order(who) for _ in range(3)]
        jobs.cancel_job(who, made[0].id)
        page = jobs.list_jobs(who, schemas.JobsQuery(state=State.canceled))
        assert page.items == []
        assert page.next_cursor is not None
        page = jobs.list_jobs(who, schemas.JobsQuery(state=State.canceled, cursor=page.next_cursor))
        assert [job.id for job in page.items] == [made[0].id]
        assert page.next_cursor is None

    def test_a_cursor_of_somebody_else_reaches_nothing(self, engine: Engine) -> None:
        who, stranger = engine.customer(), engine.customer()
        for _ in range(2):
            engine.order(who)
        cursor = jobs.list_jobs(who, schemas.JobsQuery(limit=1)).next_cursor
        assert jobs.list_jobs(stranger, schemas.JobsQuery(cursor=cursor)).items == []
        with pytest.raises(InvalidCursor):
            jobs.list_jobs(who, schemas.JobsQuery(cursor="bm90LW91cnM"))

    def test_links_are_the_same_within_their_half_hour(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        first, second = jobs.get_job(who, job.id), jobs.get_job(who, job.id)
        assert first.model_dump_json() == second.model_dump_json()
        assert first.results is not None
        assert first.results.files[0].expires_at >= clock.now() + timedelta(minutes=59)

    def test_a_progress_item_of_an_ended_run_is_gone(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        engine.working(who, job)
        jobs.cancel_job(who, job.id)
        assert tables.find(store.ProgressRow, store.org_pk(who.org_id), store.progress_sk(job.id)) is None
