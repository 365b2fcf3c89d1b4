"""What an order may say at most and at least, and what follows from that: each bound from both of its sides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from snapforge.contracts.adapters import MAX_BLENDED
from snapforge.jobs.domain import deadlines, shares, trainings
from snapforge.jobs.domain.pictures import NotOfferedError
from snapforge.jobs.domain.preflight import PhotoFacts
from snapforge.jobs.domain.requests import MAX_SEED, ImageParameters, JobRequest, Parameters, SceneParameters
from snapforge.jobs.domain.requests.image import MAX_COUNT
from snapforge.jobs.domain.requests.lora import LoraRequest

CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
LORA = "lra_01JD8Z4Q0V4S2M7N5K3T9W6X1"
IMAGE: dict[str, Any] = {"kind": "image", "prompt": "a kingfisher"}
SCENE: dict[str, Any] = {"kind": "scene", "capture_id": CAPTURE}
TRAINING: dict[str, Any] = {
    "kind": "lora", "capture_id": CAPTURE, "rights": True, "name": "A vase", "trigger": "grvase", "subject": "vase",
}  # fmt: skip
ORDER: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)


def loras(count: int, **more: Any) -> list[dict[str, Any]]:
    """So many selections of different LoRAs."""
    return [{"id": LORA + str(number)} | more for number in range(count)]


def captions(count: int, length: int = 3) -> dict[str, str]:
    """Captions of so many photos."""
    return {f"{number}.jpg": "x" * length for number in range(count)}


IMAGE_BOUNDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"prompt": "x"}, {"prompt": ""}),
    ({"prompt": "x" * 2000}, {"prompt": "x" * 2001}),
    ({"negative_prompt": "x" * 2000}, {"negative_prompt": "x" * 2001}),
    ({"model": "x"}, {"model": ""}),
    ({"model": "x" * 64}, {"model": "x" * 65}),
    ({"style": "x"}, {"style": ""}),
    ({"style": "x" * 64}, {"style": "x" * 65}),
    ({"width": 64, "height": 2048}, {"width": 48, "height": 2048}),
    ({"width": 2048, "height": 64}, {"width": 2048, "height": 48}),
    ({"width": 2048, "height": 2048}, {"width": 2064, "height": 2048}),
    ({"width": 80, "height": 80}, {"width": 72, "height": 80}),
    ({"steps": 1}, {"steps": 0}),
    ({"steps": 50}, {"steps": 51}),
    ({"guidance": 0}, {"guidance": -0.01}),
    ({"guidance": 20}, {"guidance": 20.01}),
    ({"seed": 0}, {"seed": -1}),
    ({"seed": MAX_SEED}, {"seed": MAX_SEED + 1}),
    ({"count": 1}, {"count": 0}),
    ({"count": 16}, {"count": 17}),
    ({"loras": loras(MAX_BLENDED)}, {"loras": loras(MAX_BLENDED + 1)}),
    ({"loras": loras(1, weight=2)}, {"loras": loras(1, weight=2.01)}),
    ({"loras": loras(1, weight=-2)}, {"loras": loras(1, weight=-2.01)}),
    ({"loras": loras(1, version=1)}, {"loras": loras(1, version=0)}),
]
SCENE_BOUNDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"longest_side_m": 0.001}, {"longest_side_m": 0.0009}),
    ({"longest_side_m": 100}, {"longest_side_m": 100.01}),
    ({"seed": 0}, {"seed": -1}),
    ({"seed": MAX_SEED}, {"seed": MAX_SEED + 1}),
]
TRAINING_BOUNDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "x"}, {"name": ""}),
    ({"name": "x" * 80}, {"name": "x" * 81}),
    ({"model": "x"}, {"model": ""}),
    ({"model": "x" * 64}, {"model": "x" * 65}),
    ({"trigger": "gr"}, {"trigger": "g"}),
    ({"trigger": "g" * 32}, {"trigger": "g" * 33}),
    ({"subject": "x" * 40}, {"subject": "x" * 41}),
    ({"steps": 1}, {"steps": 0}),
    ({"steps": 10_000}, {"steps": 10_001}),
    ({"captions": captions(20)}, {"captions": captions(21)}),
    ({"captions": captions(1, 500)}, {"captions": captions(1, 501)}),
    ({"seed": 0}, {"seed": -1}),
    ({"seed": MAX_SEED}, {"seed": MAX_SEED + 1}),
]


@pytest.mark.part("JOB-1")
class TestBounds:
    @pytest.mark.parametrize(
        ("order", "within", "beyond"),
        [
            *((IMAGE, *bounds) for bounds in IMAGE_BOUNDS),
            *((SCENE, *bounds) for bounds in SCENE_BOUNDS),
            *((TRAINING, *bounds) for bounds in TRAINING_BOUNDS),
        ],
    )
    def test_the_bound_is_taken_and_one_beyond_is_refused(
        self, order: dict[str, Any], within: dict[str, Any], beyond: dict[str, Any]
    ) -> None:
        taken = ORDER.validate_python(order | within).model_dump(exclude_unset=True)
        assert taken == order | within
        with pytest.raises(ValidationError):
            ORDER.validate_python(order | beyond)

    def test_who_names_nothing_orders_one_picture_and_each_lora_as_it_was_trained(self) -> None:
        made = ORDER.validate_python(IMAGE | {"loras": loras(1)})
        assert made.kind == "image"
        assert (made.count, made.loras[0].weight, made.loras[0].version) == (1, 1.0, None)

    def test_who_names_no_seed_orders_the_same_scene_and_training_again(self) -> None:
        scene, training = ORDER.validate_python(SCENE), ORDER.validate_python(TRAINING)
        assert (scene.seed, training.seed) == (0, 0)

    def test_the_last_picture_of_the_largest_order_has_a_seed_that_engines_take(self) -> None:
        """31 bits; picture i is drawn with seed + i."""
        assert MAX_SEED + MAX_COUNT == 2**31 - 1

    def test_a_scene_has_a_usdz_unless_it_is_left_out(self) -> None:
        made = ORDER.validate_python(SCENE)
        assert made.kind == "scene"
        assert made.usdz


def scene(preset: str) -> SceneParameters:
    return SceneParameters.model_validate(
        {"capture_id": CAPTURE, "capture_version": 1, "photos": 36, "preset": preset, "usdz": True, "seed": 0}
    )


PICTURE = ImageParameters(
    model="flux-schnell", prompt="p", negative_prompt="", width=1024, height=1024, steps=4, guidance=0, seed=0, count=1
)


@pytest.mark.part("JOB-11")
class TestDeadlines:
    @pytest.mark.parametrize(
        ("order", "queue", "run"),
        [
            (PICTURE, timedelta(hours=1), timedelta(minutes=30)),
            (trainings.usual("flux-schnell"), timedelta(hours=2), timedelta(hours=3)),
            (scene("draft"), timedelta(hours=2), timedelta(hours=1)),
            (scene("standard"), timedelta(hours=4), timedelta(hours=3)),
            (scene("high"), timedelta(hours=6), timedelta(hours=6)),
        ],
        ids=["image", "lora", "draft", "standard", "high"],
    )
    def test_each_kind_of_work_waits_and_runs_for_its_own_time(
        self, order: Parameters, queue: timedelta, run: timedelta
    ) -> None:
        """What a customer waits for at most before a job has failed."""
        found = deadlines.limits(order)
        assert (found.queue, found.run, found.whole) == (queue, run, queue + run)

    def test_the_sweeper_looks_once_a_minute(self) -> None:
        now = datetime(2026, 11, 21, tzinfo=UTC)
        assert deadlines.next_look(now, now + timedelta(hours=1)) == now + timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("job_id", "shard"), [("job_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", "0"), ("job_01JD8Z4Q0V4S2M7N5K3T9W6X2B", "2")]
    )
    def test_a_job_stays_in_the_shard_that_an_earlier_release_wrote_it_to(self, job_id: str, shard: str) -> None:
        """Rows keep it: with another rule the sweeper would miss the jobs that were open at a deployment."""
        assert deadlines.shard(job_id) == shard

    @pytest.mark.parametrize(("org_id", "share"), [("org_1", "sdf"), ("org_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", "s6a")])
    def test_an_org_stays_in_its_share(self, org_id: str, share: str) -> None:
        """Batch weighs what it ran of a share lately, across deployments."""
        assert shares.of_org(org_id) == share

    def test_shares_go_from_s00_to_sff(self) -> None:
        found = {shares.of_org(f"org_{number}") for number in range(5000)}
        assert (min(found), max(found), len(found)) == ("s00", "sff", 256)


@pytest.mark.part("JOB-9")
class TestBaseModel:
    def asked(self, model: str | None, *offered: str) -> str:
        return trainings.base_model(LoraRequest.model_validate(TRAINING | {"model": model}), offered)

    def test_the_first_on_offer_that_can_be_trained_unless_one_is_named(self) -> None:
        offered = ("z-image-turbo", "flux2-klein", "flux-schnell")
        assert self.asked(None, *offered) == "flux2-klein"
        assert self.asked("flux-schnell", *offered) == "flux-schnell"

    def test_one_that_takes_no_lora_or_is_not_on_offer_is_refused_with_those_that_do(self) -> None:
        for model in ("z-image-turbo", "flux-schnell", "no-such"):
            with pytest.raises(NotOfferedError) as refused:
                self.asked(model, "z-image-turbo", "flux2-klein", "snapforge-demo")
            assert str(refused.value) == (
                f"No LoRA of {model!r} can be trained here. Trainable are: flux2-klein, snapforge-demo."
            )

    def test_where_nothing_can_be_trained_that_is_said(self) -> None:
        with pytest.raises(NotOfferedError) as refused:
            self.asked(None, "z-image-turbo")
        assert str(refused.value) == "No LoRA can be trained here."
        with pytest.raises(NotOfferedError) as refused:
            self.asked("z-image-turbo", "z-image-turbo")
        assert str(refused.value) == "No LoRA of 'z-image-turbo' can be trained here."


@pytest.mark.part("JOB-9")
class TestTrainingPhotos:
    def test_the_blocker_comes_first_and_then_each_photo_that_has_a_fault(self) -> None:
        photos = [PhotoFacts(f"{number}.jpg", ("blurred", "small"), None) for number in range(8)]
        found = [finding.code for finding in trainings.examine(photos, [("notes.jpg", "It is a text file.")])]
        assert found == ["photos_too_poor", "refused", *["blurred", "small"] * 8]

    def test_without_a_photo_only_their_number_is_told(self) -> None:
        assert [finding.code for finding in trainings.examine([], [])] == ["too_few_photos"]

    @pytest.mark.parametrize("trouble", ["blurred", "dark", "overexposed"])
    def test_what_a_training_would_learn_along_is_trouble(self, trouble: str) -> None:
        photos = [PhotoFacts(f"{number}.jpg", (trouble,), None) for number in range(8)]
        assert trainings.examine(photos, [])[0].code == "photos_too_poor"

    def test_the_samples_show_the_thing_by_its_trigger_in_other_places(self) -> None:
        prompts = trainings.work(trainings.usual("flux-schnell"), []).sample_prompts
        assert len(set(prompts)) == len(prompts) == 4
        assert all("grvase vase" in prompt for prompt in prompts)
