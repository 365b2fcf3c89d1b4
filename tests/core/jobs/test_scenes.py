"""Previews and jobs of captures, on a real DynamoDB."""

from typing import Any

import pytest

from snapforge.assets import errors as assets_errors
from snapforge.assets.store import CaptureRow
from snapforge.aws import tables
from snapforge.billing.service import ledger
from snapforge.jobs import errors, schemas
from snapforge.jobs.service import queries
from snapforge.jobs.service.submission import previews, submit
from snapforge.kit import ids
from snapforge.kit.permissions import Principal
from tests.core.jobs.captures import add_photo, capture, counted, examined
from tests.core.jobs.engine import Engine, idempotency_key


@pytest.mark.part("JOB-2")
class TestScenes:
    def order(self, capture_id: str, **more: Any) -> schemas.SceneCreate:
        return schemas.SceneCreate(kind="scene", capture_id=capture_id, **more)

    def preview(self, who: Principal, capture_id: str) -> schemas.Preview:
        return previews.preview_job(who, schemas.ScenePreview(kind="scene", capture_id=capture_id))

    def test_the_pre_flight_names_what_was_measured(self, engine: Engine) -> None:
        who = engine.customer()
        preview = self.preview(who, examined(who, capture(who, refused=1)))
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
            submit.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        assert refused.value.extra["reason"] == "too_few_photos"
        assert refused.value.charged == 0
        assert ledger.balance(who.org_id).held == 0

    def test_while_photos_are_measured_the_preview_is_polled(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who, pending=2)
        preview = self.preview(who, capture_id)
        assert (preview.status, preview.can_start) == ("checking", False)
        assert preview.id is not None
        assert previews.get_preview(who, preview.id).status == "checking"
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.pending = 0
        row.expected = row.usable
        row.save()
        examined(who, capture_id)
        ready = previews.get_preview(who, preview.id)
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
                previews.get_preview(stranger, preview_id)
        with pytest.raises(assets_errors.CaptureNotFound):
            self.preview(engine.customer(), capture(who))

    def test_a_quoted_scene_takes_two_calls_and_an_unquoted_one_five(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = examined(who, capture(who))
        quote = self.preview(who, capture_id).quote
        with counted() as calls:
            job = submit.create_job(who, self.order(capture_id, quote=quote), idempotency_key(who, "k1"))
        assert calls == ["GetItem", "TransactWriteItems"]
        assert (job.price.credits, job.price.quoted) == (20, True)
        with counted() as calls:
            submit.create_job(who, self.order(capture_id), idempotency_key(who, "k2"))
        assert calls == ["GetItem", "Query", "GetItem", "GetItem", "TransactWriteItems"]

    def test_a_capture_that_changed_since_the_quote_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = examined(who, capture(who))
        quote = self.preview(who, capture_id).quote
        row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
        assert row is not None
        row.version += 1
        row.save()
        with pytest.raises(assets_errors.CaptureNotReady):
            submit.create_job(who, self.order(capture_id, quote=quote), idempotency_key(who, "k"))
        assert ledger.balance(who.org_id).held == 0

    def test_a_capture_under_check_is_refused(self, engine: Engine) -> None:
        who = engine.customer()
        with pytest.raises(assets_errors.CaptureNotReady):
            submit.create_job(who, self.order(capture(who, pending=1)), idempotency_key(who, "k"))

    def test_the_worker_gets_the_photos_that_were_paid_for(self, engine: Engine) -> None:
        from snapforge.aws import s3
        from snapforge.contracts.manifest import Manifest, SceneWork
        from snapforge.jobs.service.runs import attempts

        who = engine.customer()
        capture_id = capture(who)
        job = submit.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        add_photo(who, capture_id, 24)
        engine.dispatch(who, job, "token")
        work = Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, 1) + "manifest.json")).work
        assert isinstance(work, SceneWork)
        assert [photo.name for photo in work.photos] == [f"{number:04d}.jpg" for number in range(24)]
        assert work.photos[1].focal_px == 1400.0

    def test_the_worker_gets_every_option_of_the_order(self, engine: Engine) -> None:
        from snapforge.aws import s3
        from snapforge.contracts.manifest import Manifest, SceneWork
        from snapforge.jobs.service.runs import attempts

        who = engine.customer()
        options = {
            "preset": "standard", "usdz": False, "longest_side_m": 0.24, "floor": "keep", "compression": "draco",
            "seed": 7,
        }  # fmt: skip
        job = submit.create_job(who, self.order(capture(who), **options), idempotency_key(who, "k"))
        engine.dispatch(who, job, "token")
        work = Manifest.model_validate_json(s3.get(attempts.prefix_uri(job.id, 1, 1) + "manifest.json")).work
        assert isinstance(work, SceneWork)
        assert work.model_dump(include=set(options)) == options

    def test_a_capture_that_is_gone_ends_the_job_free(self, engine: Engine) -> None:
        who = engine.customer()
        capture_id = capture(who)
        job = submit.create_job(who, self.order(capture_id), idempotency_key(who, "k"))
        CaptureRow(f"org#{who.org_id}", f"capture#{capture_id}").delete()
        engine.dispatch(who, job, engine.start(who, job))
        heard = engine.heard(job)
        answer = engine.classify(who, job, heard)
        engine.settle(who, job, answer.outcome)
        failure = queries.get_job(who, job.id).failure
        assert failure is not None
        assert failure.code == "capture_gone"
        assert ledger.balance(who.org_id).available == 100
