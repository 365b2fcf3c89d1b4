"""Trainings and pictures with LoRAs, as jobs: money, versions, and who may use what."""

from typing import Any

import pytest

from snapforge.assets.service import gallery
from snapforge.aws import s3
from snapforge.contracts.manifest import ImageWork, LoraWork, Manifest
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import errors, schemas
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.requests import ImageParameters
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import settlement
from snapforge.jobs.service.runs.dispatch.images import group
from snapforge.jobs.service.submission import previews, submit
from snapforge.kit.errors import InvalidPayload
from snapforge.kit.permissions import Principal
from snapforge.loras import errors as loras_errors
from snapforge.loras.schemas import LoraDelete
from snapforge.loras.service import library, retention, usage
from tests.core.jobs.captures import capture
from tests.core.jobs.engine import Engine, exact, idempotency_key
from tests.core.jobs.trained import leave_adapter, lora_of, order_lora, train

BROKEN = Outcome(outcome="failed", failure=Failure(category=FailureCategory.bug, code="it_broke", message="It broke."))
LISTED = 50
"""Credits of a training of flux-schnell with its own number of steps."""


@pytest.fixture
def who(engine: Engine) -> Principal:
    return engine.customer(200)


@pytest.mark.part("JOB-9", "JOB-3")
class TestTraining:
    def test_it_ends_as_a_version_that_can_be_used(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who)
        lora_id, version = lora_of(job)
        assert (library.get_lora(who, lora_id).state, version) == ("training", 1)
        answer = engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job)))
        assert answer.state == "succeeded"
        exact(who, available=200 - LISTED)
        found = library.get_lora(who, lora_id)
        assert (found.state, found.version, found.training_job_id) == ("ready", 1, None)
        assert [(one.state, one.job_id, one.loss_after) for one in found.versions] == [("ready", job.id, 0.6)]
        usable = usage.usable(who.org_id, lora_id)
        assert s3.get(usable.trained.uri) == b"weights of " + job.id.encode()

    def test_the_adapter_is_no_asset_and_the_grid_is(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who)
        engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job)))
        assert [asset.name for asset in gallery.list_job_assets(who.org_id, job.id)] == ["preview.jpg"]
        told = queries.get_job(who, job.id)
        assert told.results is not None
        assert told.results.lora is not None
        assert [file.role for file in told.results.files] == ["preview"]
        assert (told.results.lora.loss_before, told.results.lora.loss_after) == (0.9, 0.6)

    def test_a_failed_training_costs_nothing_and_can_be_retried(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who)
        lora_id, _ = lora_of(job)
        engine.settle(who, job, BROKEN)
        exact(who, available=200)
        assert library.get_lora(who, lora_id).state == "failed"
        submit.retry_job(who, job.id, idempotency_key(who, "again"))
        assert library.get_lora(who, lora_id).state == "training"
        engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job, run=2)), run=2)
        assert usage.usable(who.org_id, lora_id).trained.version == 1
        exact(who, available=200 - LISTED)

    def test_a_canceled_training_frees_its_lora(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who)
        settlement.cancel_job(who, job.id)
        exact(who, available=200)
        assert library.get_lora(who, lora_of(job)[0]).training_job_id is None

    def test_the_next_version_takes_over_and_the_old_one_stays(self, engine: Engine, who: Principal) -> None:
        lora_id = train(engine, who)
        job = order_lora(who, lora_id=lora_id)
        assert lora_of(job) == (lora_id, 2)
        assert usage.usable(who.org_id, lora_id).trained.version == 1
        with pytest.raises(loras_errors.LoraInTraining):
            order_lora(who, lora_id=lora_id)
        engine.settle(who, job, Outcome(outcome="done", result_uri=leave_adapter(job)))
        assert usage.usable(who.org_id, lora_id).trained.version == 2
        assert usage.usable(who.org_id, lora_id, 1).trained.version == 1

    def test_its_work_order_names_photos_captions_and_samples(self, engine: Engine, who: Principal) -> None:
        job = order_lora(who, captions={"0003.jpg": "the vase on a sill"})
        engine.dispatch(who, job, engine.start(who, job))
        (sent,) = engine.batch.of(job.id)
        assert sent["asked"]["jobDefinition"] == "snapforge-dev-lora"
        (variable,) = [
            one for one in sent["asked"]["containerOverrides"]["environment"] if one["name"] == "MANIFEST_URI"
        ]
        work = Manifest.model_validate_json(s3.get(variable["value"])).work
        assert isinstance(work, LoraWork)
        assert (len(work.photos), work.captions[3], work.captions[0]) == (12, "the vase on a sill", "")
        assert all("grvase vase" in prompt for prompt in work.sample_prompts)


@pytest.mark.part("JOB-9", "JOB-2")
class TestPhotos:
    @pytest.mark.parametrize(("photos", "reason"), [(4, "too_few_photos"), (21, "too_many_photos")])
    def test_five_to_twenty(self, engine: Engine, who: Principal, photos: int, reason: str) -> None:
        shown = capture(who, photos=photos)
        with pytest.raises(errors.CaptureNotUsable) as caught:
            order_lora(who, capture_id=shown)
        assert caught.value.extra["reason"] == reason
        preview = _preview(who, shown)
        assert (preview.can_start, preview.quote, preview.findings[0].code) == (False, None, reason)
        exact(who, available=200)

    def test_a_preview_names_what_is_wrong_with_which_photo(self, engine: Engine, who: Principal) -> None:
        preview = _preview(who, capture(who, photos=6, refused=1))
        assert preview.can_start
        assert preview.credits == LISTED
        told = {(finding.code, finding.photo) for finding in preview.findings}
        assert {("few_photos", None), ("refused", "notes-0.jpg"), ("dark", "0000.jpg")} <= told

    def test_its_quote_is_honoured(self, engine: Engine, who: Principal) -> None:
        shown = capture(who, photos=12)
        quote = _preview(who, shown).quote
        assert order_lora(who, capture_id=shown, quote=quote).price.quoted

    def test_captions_of_other_photos_are_an_error(self, who: Principal) -> None:
        with pytest.raises(InvalidPayload, match=r"holiday\.jpg"):
            order_lora(who, captions={"holiday.jpg": "a beach"})


@pytest.mark.part("JOB-9", "JOB-6")
class TestUse:
    def test_pictures_name_the_exact_versions_and_files(self, engine: Engine, who: Principal) -> None:
        first, second = train(engine, who), train(engine, who)
        job = engine.order(who, loras=[{"id": first, "weight": 0.8}, {"id": second}])
        assert isinstance(job.parameters, ImageParameters)
        assert [(use.id, use.version, use.weight) for use in job.parameters.loras] == [(first, 1, 0.8), (second, 1, 1)]
        engine.dispatch(who, job, engine.start(who, job))
        ((_, ticket, _),) = engine.tickets(job)
        work = Manifest.model_validate_json(s3.get(ticket.manifest_uri)).work
        assert isinstance(work, ImageWork)
        assert [(one.id, one.weight, one.family) for one in work.adapters] == [
            (first, 0.8, "flux1"),
            (second, 1, "flux1"),
        ]
        assert all(s3.exists(one.uri) for one in work.adapters)

    def test_other_loras_or_weights_are_another_micro_batch(self, engine: Engine, who: Principal) -> None:
        lora_id = train(engine, who)
        sets: list[list[dict[str, Any]]] = [[], [{"id": lora_id}], [{"id": lora_id, "weight": 0.5}]]
        drawn = [engine.order(who, loras=some).parameters for some in sets]
        assert len({group(one) for one in drawn if isinstance(one, ImageParameters)}) == 3

    def test_a_lora_of_another_model_is_refused(self, engine: Engine, who: Principal, monkeypatch: Any) -> None:
        lora_id = train(engine, who)
        monkeypatch.setenv("IMAGE_MODELS", "flux2-klein,flux-schnell")
        with pytest.raises(errors.LoraDoesNotFit, match="flux2-klein cannot draw with it"):
            engine.order(who, loras=[{"id": lora_id}], model="flux2-klein")
        # Without a model its own one draws, though another is the default.
        job = engine.order(who, loras=[{"id": lora_id}])
        assert isinstance(job.parameters, ImageParameters)
        assert job.parameters.model == "flux-schnell"

    def test_anothers_unfinished_or_unknown_is_refused(self, engine: Engine, who: Principal) -> None:
        foreign = train(engine, engine.customer(200))
        unfinished, _ = lora_of(order_lora(who))
        for lora_id, wrong in (
            (foreign, loras_errors.LoraNotFound),
            ("lra_" + 26 * "0", loras_errors.LoraNotFound),
            (unfinished, loras_errors.LoraNotReady),
        ):
            with pytest.raises(wrong):
                engine.order(who, loras=[{"id": lora_id}])

    def test_a_deleted_one_draws_nothing_more(self, engine: Engine, who: Principal) -> None:
        """Neither by a new order, nor by one that waits: that fails free of charge."""
        lora_id = train(engine, who)
        waiting = engine.order(who, loras=[{"id": lora_id}])
        retention.delete_lora(who, lora_id, LoraDelete())
        with pytest.raises(loras_errors.LoraDeleted):
            engine.order(who, loras=[{"id": lora_id}])
        engine.dispatch(who, waiting, engine.start(who, waiting))
        heard = engine.heard(waiting)
        assert heard is not None
        assert heard.failure is not None
        assert (heard.failure.code, heard.failure.category) == ("lora_deleted", FailureCategory.input)
        assert engine.tickets(waiting) == []
        engine.settle(who, waiting, heard)
        exact(who, available=200 - LISTED)
        retention.restore_lora(who, lora_id)
        engine.order(who, loras=[{"id": lora_id}])

    def test_deleting_between_reading_and_writing_an_order_is_seen(
        self, engine: Engine, who: Principal, monkeypatch: Any
    ) -> None:
        """The order's own transaction asks once more."""
        lora_id = train(engine, who)
        found = usage.usable(who.org_id, lora_id)
        retention.delete_lora(who, lora_id, LoraDelete())
        monkeypatch.setattr(usage, "usable", lambda *_: found)
        with pytest.raises(loras_errors.LoraDeleted):
            engine.order(who, loras=[{"id": lora_id}])
        exact(who, available=200 - LISTED)


def _preview(who: Principal, capture_id: str) -> schemas.Preview:
    asked = {"kind": "lora", "rights": True, "name": "A vase", "trigger": "grvase", "subject": "vase"}
    return previews.preview_job(who, schemas.LoraPreview.model_validate(asked | {"capture_id": capture_id}))
