"""The pre-flight between preview, queue function and rows, on a real DynamoDB and S3."""

import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snapforge.assets.domain import Facts
from snapforge.assets.store import CaptureRow, PhotoRow
from snapforge.aws import s3, tables
from snapforge.billing.service import ledger
from snapforge.jobs import errors, events, schemas
from snapforge.jobs.service.submission import preflights, previews, submit
from snapforge.jobs.store import PreflightRow
from snapforge.kit import clock, ids
from snapforge.kit.events import Event
from snapforge.kit.permissions import Principal
from snapforge.preflight import looking
from tests.core.jobs.captures import capture, counted, examined, survey
from tests.core.jobs.engine import Engine, idempotency_key
from tests.support.aws import Aws

pytestmark = pytest.mark.part("JOB-2")


def preview(who: Principal, capture_id: str) -> schemas.Preview:
    return previews.preview_job(who, schemas.ScenePreview(kind="scene", capture_id=capture_id))


def version_of(who: Principal, capture_id: str) -> int:
    row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
    assert row is not None
    return int(row.version)


def asked(who: Principal, capture_id: str) -> Event:
    """The event as the queue's function gets it."""
    return events.preflight_asked(who.org_id, capture_id, version_of(who, capture_id))


def kept(who: Principal, capture_id: str) -> PreflightRow:
    key = f"preflight#{capture_id}#{version_of(who, capture_id):06d}"
    row = tables.find(PreflightRow, f"org#{who.org_id}", key)
    assert row is not None
    return row


def later(monkeypatch: pytest.MonkeyPatch, after: timedelta) -> None:
    moment = clock.now() + after
    monkeypatch.setattr("snapforge.kit.clock.now", lambda: moment)


def codes(found: schemas.Preview) -> list[str]:
    return [finding.code for finding in found.findings]


class TestAsking:
    def test_a_preview_waits_for_the_pre_flight_and_then_tells_of_it(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        first = preview(who, capture_id)
        assert (first.status, first.can_start) == ("checking", False)
        assert first.id is not None
        assert previews.get_preview(who, first.id).status == "checking"
        core = tuple(range(20))
        examined(who, capture_id, survey(groups=(core, (20, 21, 22)), registered=core, coverage_degrees=200))
        ready = previews.get_preview(who, first.id)
        assert (ready.status, ready.can_start, ready.id) == ("ready", True, None)
        assert (ready.predicted_registered, ready.coverage_degrees, ready.components) == (20, 200, [20, 3])
        assert {"separate_groups", "one_side", "unconnected"} <= set(codes(ready))
        assert [each.photo for each in ready.findings if each.code == "unconnected"] == ["0023.jpg"]

    def test_it_is_asked_for_once_and_told_in_the_same_transaction(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        with counted() as calls:
            preview(who, capture_id)
        assert calls == ["GetItem", "Query", "GetItem", "TransactWriteItems", "PutItem"]
        with counted() as calls:
            preview(who, capture_id)
        assert calls == ["GetItem", "Query", "GetItem", "PutItem"]

    def test_a_known_pre_flight_is_used_again(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = examined(who, capture(who))
        assert [preview(who, capture_id).status for _ in range(2)] == ["ready", "ready"]

    def test_another_version_is_examined_anew(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = examined(who, capture(who))
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.version += 1
        row.save()
        assert preview(who, capture_id).status == "checking"

    def test_what_is_refused_by_its_count_is_not_examined(self, engine: Engine) -> None:
        who = engine.customer()
        assert (preview(who, capture(who, photos=3)).status, preview(who, capture(who, photos=0)).status) == (
            "ready",
            "ready",
        )


class TestNeverStuck:
    def test_after_a_minute_the_preview_is_ready_without(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        who = engine.customer()
        capture_id = capture(who)
        waiting = preview(who, capture_id)
        assert waiting.id is not None
        later(monkeypatch, preflights.LIMIT)
        ready = previews.get_preview(who, waiting.id)
        assert (ready.status, ready.can_start, ready.predicted_registered) == ("ready", True, None)
        assert "not_examined" in codes(ready)

    def test_a_failed_one_is_ready_at_once(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        preview(who, capture_id)
        row = kept(who, capture_id)
        row.failure = "it broke"
        row.save()
        ready = preview(who, capture_id)
        assert (ready.status, ready.can_start) == ("ready", True)
        assert "not_examined" in codes(ready)

    def test_what_was_lost_is_asked_for_again_later(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        who = engine.customer()
        capture_id = capture(who)
        preview(who, capture_id)
        later(monkeypatch, preflights.ASK_AGAIN)
        assert preview(who, capture_id).status == "checking"
        assert kept(who, capture_id).asked_at == clock.now()


class TestBlocking:
    def hopeless(self, who: Principal) -> str:
        return examined(who, capture(who), survey(turned=True, registered=(), coverage_degrees=None))

    def test_there_is_no_quote(self, engine: Engine) -> None:
        who = engine.customer()
        told = preview(who, self.hopeless(who))
        assert (told.status, told.can_start, told.quote) == ("ready", False, None)
        assert (told.findings[0].severity, told.findings[0].code) == ("blocker", "no_parallax")

    def test_a_job_is_refused_and_nothing_is_held(self, engine: Engine) -> None:
        who = engine.customer()
        order = schemas.SceneCreate(kind="scene", capture_id=self.hopeless(who))
        with pytest.raises(errors.CaptureNotUsable) as refused:
            submit.create_job(who, order, idempotency_key(who, "k"))
        assert refused.value.extra["reason"] == "no_parallax"
        assert ledger.balance(who.org_id).held == 0

    def test_a_job_needs_no_pre_flight(self, engine: Engine) -> None:
        who = engine.customer()
        order = schemas.SceneCreate(kind="scene", capture_id=capture(who))
        assert submit.create_job(who, order, idempotency_key(who, "k")).state == "queued"


class TestDoing:
    """The queue's function, with pictures in S3."""

    @pytest.fixture
    def waiting(self, engine: Engine, aws: Aws) -> tuple[Principal, str]:
        """A capture of eight views of one relief and one of something else, that somebody asked for."""
        who = engine.customer()
        capture_id = capture(who, photos=0)
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.usable = row.expected = 9
        row.version = 10
        row.save()
        for number in range(9):
            self.store(aws, who, capture_id, number, self.view(number))
        preview(who, capture_id)
        return who, capture_id

    def view(self, number: int) -> bytes:
        random = np.random.default_rng(99 if number == 8 else 0)
        far = Image.fromarray(random.integers(60, 190, (40, 90), np.uint8)).resize((900, 400), Image.Resampling.BICUBIC)
        near = Image.fromarray(random.integers(0, 255, (16, 40), np.uint8)).resize((900, 160), Image.Resampling.BICUBIC)
        picture = far.crop((12 * number, 0, 12 * number + 240, 180))
        picture.paste(near.crop((24 * number, 0, 24 * number + 240, 90)), (0, 90))
        body = io.BytesIO()
        picture.save(body, "JPEG", quality=95)
        return body.getvalue()

    def store(self, aws: Aws, who: Principal, capture_id: str, number: int, body: bytes) -> None:
        key = f"photos/{capture_id}/{number}.jpg"
        s3.put(f"s3://{aws.assets_bucket}/{key}", body, "image/jpeg")
        facts = Facts(
            media_type="image/jpeg", bytes=len(body), sha256="0" * 64, original_width=240, original_height=180,
            width=240, height=180, alpha=False, focal_px=300.0, sharpness=200.0, mean=120.0, clipped_dark=0.0,
            clipped_bright=0.0, phash=f"{1 << (number * 9):064x}",
        )  # fmt: skip
        PhotoRow(
            f"capture#{capture_id}", f"photo#{number:04d}", id=f"{number:04d}", org_id=who.org_id,
            name=f"{number:04d}.jpg", key=key, facts=facts.model_dump_json(),
        ).save()  # fmt: skip

    def test_it_looks_and_keeps_what_it_saw(self, waiting: tuple[Principal, str]) -> None:
        who, capture_id = waiting
        assert preflights.preflight(asked(who, capture_id)) == "done"
        told = preview(who, capture_id)
        assert (told.status, told.predicted_registered, told.components) == ("ready", 8, [8])
        assert [each.photo for each in told.findings if each.code == "unconnected"] == ["0008.jpg"]

    def test_a_second_delivery_does_nothing(
        self, waiting: tuple[Principal, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, capture_id = waiting
        examined(who, capture_id, survey(9))
        monkeypatch.setattr(looking, "look", pytest.fail)
        assert preflights.preflight(asked(who, capture_id)) == "known"

    def test_a_crash_is_kept_as_a_failure(
        self, waiting: tuple[Principal, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: Any, **__: Any) -> None:
            raise looking.LookFailedError("exit -11: no words")

        monkeypatch.setattr(looking, "look", die)
        who, capture_id = waiting
        assert preflights.preflight(asked(who, capture_id)).startswith("failed")
        told = preview(who, capture_id)
        assert (told.status, "not_examined" in codes(told)) == ("ready", True)

    def test_a_photo_that_cannot_be_read_is_a_failure_too(self, waiting: tuple[Principal, str], aws: Aws) -> None:
        who, capture_id = waiting
        s3.put(f"s3://{aws.assets_bucket}/photos/{capture_id}/3.jpg", b"no picture", "image/jpeg")
        assert preflights.preflight(asked(who, capture_id)).startswith("failed")
        assert kept(who, capture_id).survey is None

    def test_a_capture_that_changed_or_went_is_left(self, waiting: tuple[Principal, str]) -> None:
        who, capture_id = waiting
        event = asked(who, capture_id)
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.version += 1
        row.save()
        assert preflights.preflight(event) == "changed"
        row.delete()
        assert preflights.preflight(event) == "gone"
        assert preflights.preflight(events.preflight_asked(who.org_id, ids.new("capture"), 1)) == "known"
