"""What photos are good for a LoRA, and what a training is made of, decided without any I/O."""

from typing import Any

import pytest

from snapforge.contracts.manifest import Photo
from snapforge.jobs.domain import trainings
from snapforge.jobs.domain.catalogue.loras import LORA_BASES
from snapforge.jobs.domain.pictures import NotDrawableError
from snapforge.jobs.domain.preflight import PhotoFacts, blocked
from snapforge.jobs.domain.requests import LoraParameters, LoraRequest

pytestmark = pytest.mark.part("JOB-9")
CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
NAMES = ["one.jpg", "two.jpg", "three.jpg", "four.jpg", "five.jpg"]
BASE = LORA_BASES["flux-schnell"]


def codes(good: int, *, blurred: int = 0) -> list[str]:
    photos = [PhotoFacts(f"{number}.jpg", (), None) for number in range(good)]
    photos += [PhotoFacts(f"blurred-{number}.jpg", ("blurred",), None) for number in range(blurred)]
    return [finding.code for finding in trainings.examine(photos, []) if finding.photo is None]


def resolved(**more: Any) -> LoraParameters:
    order = {
        "kind": "lora",
        "capture_id": CAPTURE,
        "rights": True,
        "name": "A vase",
        "trigger": "grvase",
        "subject": "vase",
    }
    return trainings.resolve(
        LoraRequest.model_validate(order | more),
        lora_id="lra_1",
        number=2,
        identity=("A vase", "grvase", "vase", "flux-schnell"),
        capture_version=3,
        names=NAMES,
    )


class TestPhotos:
    @pytest.mark.parametrize(
        ("count", "told"),
        [
            (4, ["too_few_photos"]),
            (5, ["few_photos"]),
            (7, ["few_photos"]),
            (8, []),
            (20, []),
            (21, ["too_many_photos"]),
        ],
    )
    def test_five_to_twenty_and_from_eight_on_without_a_word(self, count: int, told: list[str]) -> None:
        assert codes(count) == told

    def test_half_may_be_blurred_and_no_more(self) -> None:
        assert codes(5, blurred=5) == []
        assert codes(4, blurred=5) == ["photos_too_poor"]

    def test_a_near_duplicate_teaches_nothing_wrong(self) -> None:
        photos = [PhotoFacts(f"{number}.jpg", ("near_duplicate",), None) for number in range(9)]
        assert blocked(trainings.examine(photos, [])) is None


class TestParameters:
    def test_what_is_not_named_is_the_models_own(self) -> None:
        made = resolved()
        assert (made.steps, made.rank, made.size) == (BASE.steps.default, BASE.rank, BASE.size)
        assert (made.lora_version, made.capture_version, made.photos) == (2, 3, 5)

    def test_what_is_named_is_kept(self) -> None:
        named = {"steps": int(BASE.steps.max), "seed": 7, "priority": "rush", "captions": {"one.jpg": "on a sill"}}
        made = resolved(**named).model_dump()
        assert made | named == made

    def test_steps_beyond_the_models_are_refused(self) -> None:
        for steps in (int(BASE.steps.min) - 1, int(BASE.steps.max) + 1):
            with pytest.raises(NotDrawableError) as refused:
                resolved(steps=steps)
            assert refused.value.member == "steps"

    def test_a_caption_of_a_photo_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(NotDrawableError, match=r"six\.jpg") as refused:
            resolved(captions={"one.jpg": "on a sill", "six.jpg": "on a table"})
        assert refused.value.member == "captions"

    def test_each_caption_goes_to_its_photo_and_the_others_are_left_to_the_worker(self) -> None:
        photos = [Photo(name=name, uri=f"s3://a/{name}", width=64, height=64) for name in NAMES]
        captions = {"two.jpg": "on a sill", "five.jpg": "on a table"}
        work = trainings.work(resolved(captions=captions, seed=7), photos)
        assert work.captions == ("", "on a sill", "", "", "on a table")
        assert (work.seed, [photo.name for photo in work.photos]) == (7, NAMES)
        assert trainings.work(resolved(), photos).captions == ()
