"""What can be ordered of a model, what it costs, and how long it may take."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from snapforge.jobs.domain import deadlines, pricing
from snapforge.jobs.domain.requests import Preset, SceneParameters, SceneRequest, fingerprint

CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"


def scene(photos: int, preset: Preset) -> SceneParameters:
    return SceneParameters(capture_id=CAPTURE, capture_version=3, photos=photos, preset=preset, usdz=True, seed=0)


@pytest.mark.part("JOB-2")
class TestSceneOrders:
    def test_a_real_size_lies_between_a_millimetre_and_a_hundred_metres(self) -> None:
        assert SceneRequest(kind="scene", capture_id=CAPTURE, longest_side_m=0.24).longest_side_m == 0.24
        for wrong in (0, 0.0009, 101, float("nan"), float("inf")):
            with pytest.raises(ValidationError):
                SceneRequest(kind="scene", capture_id=CAPTURE, longest_side_m=wrong)

    def test_every_option_of_a_scene_binds_its_quote(self) -> None:
        plain: dict[str, Any] = {"kind": "scene", "capture_id": CAPTURE}
        options: list[dict[str, Any]] = [
            {}, {"preset": "high"}, {"longest_side_m": 0.2}, {"floor": "keep"}, {"compression": "draco"},
        ]  # fmt: skip
        assert len({fingerprint(SceneRequest.model_validate(plain | option)) for option in options}) == len(options)

    def test_parameters_from_before_the_options_still_read(self) -> None:
        old = {"capture_id": CAPTURE, "capture_version": 3, "photos": 36, "preset": "draft", "usdz": True, "seed": 0}
        read = SceneParameters.model_validate(old)
        assert (read.longest_side_m, read.floor, read.compression) == (None, "crop", "none")


@pytest.mark.part("JOB-2", "JOB-11")
class TestScenePresets:
    @pytest.mark.parametrize(
        ("photos", "preset", "credits"),
        [(40, "draft", 20), (41, "draft", 21), (60, "standard", 60), (61, "standard", 61), (80, "high", 150),
         (81, "high", 151)],
    )  # fmt: skip
    def test_a_better_preset_costs_more_and_holds_more_photos(self, photos: int, preset: Preset, credits: int) -> None:
        assert pricing.price(scene(photos, preset)).credits == credits

    def test_a_better_preset_is_predicted_to_take_longer(self) -> None:
        draft, standard, high = (pricing.predicted_seconds(scene(60, preset)) for preset in get_args(Preset))
        assert draft < standard < high

    @pytest.mark.parametrize("preset", get_args(Preset))
    def test_the_largest_scene_is_predicted_to_end_before_its_deadline(self, preset: Preset) -> None:
        run = deadlines.limits(scene(300, preset)).run
        assert pricing.predicted_seconds(scene(300, preset)) < run.total_seconds()
