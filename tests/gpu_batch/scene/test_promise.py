"""What each preset promises, what it may cost in memory, and how a finished model is held against the promise."""

from dataclasses import astuple, replace
from itertools import pairwise, product
from typing import Any, get_args

import numpy as np
import pytest

from snapforge.contracts.results import SceneQuality
from worker.engines.scene import presets, quality
from worker.stages.scene import report

pytestmark = pytest.mark.part("JOB-10")

PRESETS: tuple[presets.Preset, ...] = get_args(presets.Preset)
DEVICES: tuple[presets.Device, ...] = get_args(presets.Device)
EVERY = list(product(PRESETS, DEVICES))
PROMISE = presets.Promise(
    min_psnr_db=18.0, max_reprojection_px=1.5, min_faces=2_000, min_coverage=0.5, min_registered=0.7
)


class TestPresets:
    @pytest.mark.parametrize(
        ("preset", "device", "promised"),
        [
            ("draft", "cpu", (16.0, 2.0, 500, 0.4, 0.5)),
            ("draft", "cuda", (17.0, 2.0, 500, 0.4, 0.5)),
            ("standard", "cpu", (18.0, 1.5, 2_000, 0.5, 0.7)),
            ("standard", "cuda", (19.0, 1.5, 2_000, 0.5, 0.7)),
            ("high", "cpu", (19.0, 1.2, 8_000, 0.6, 0.8)),
            ("high", "cuda", (20.0, 1.2, 8_000, 0.6, 0.8)),
        ],
    )
    def test_a_preset_promises_this_on_this_device(
        self, preset: presets.Preset, device: presets.Device, promised: tuple[float, ...]
    ) -> None:
        """(PSNR in dB, reprojection in pixels, faces, coverage, registered): who changes one changes the product."""
        assert astuple(presets.settings(preset, device).promise) == promised

    @pytest.mark.parametrize("device", DEVICES)
    def test_a_better_preset_promises_more_in_every_respect(self, device: presets.Device) -> None:
        for lower, higher in pairwise(presets.settings(preset, device).promise for preset in PRESETS):
            assert higher.min_psnr_db > lower.min_psnr_db
            assert higher.max_reprojection_px < lower.max_reprojection_px
            assert higher.min_faces > lower.min_faces
            assert higher.min_coverage > lower.min_coverage
            assert higher.min_registered > lower.min_registered

    @pytest.mark.parametrize("device", DEVICES)
    def test_a_better_preset_has_no_smaller_size(self, device: presets.Device) -> None:
        """And more photo pixels, training, cells, triangles and texels than the one below it, at most."""
        for lower, higher in pairwise(_sizes(presets.settings(preset, device)) for preset in PRESETS):
            assert all(higher[name] >= lower[name] for name in lower)
            for name in ("photo_px", "train_px", "steps", "max_res", "grid", "depth_px", "faces", "glb_bytes"):
                assert higher[name] > lower[name], name

    @pytest.mark.parametrize(("preset", "device"), EVERY)
    def test_the_sizes_can_keep_the_promise(self, preset: presets.Preset, device: presets.Device) -> None:
        """The triangle budget leaves room over the least number of faces, and fits into two thirds of the file."""
        sizes = presets.settings(preset, device)
        assert sizes.faces >= 10 * sizes.promise.min_faces
        assert sizes.faces * (12 + 32 / 2) < sizes.glb_bytes / 1.5

    @pytest.mark.parametrize(("preset", "device"), EVERY)
    def test_reduced_halves_what_memory_grows_with_and_promises_the_same(
        self, preset: presets.Preset, device: presets.Device
    ) -> None:
        """Half the rays a step are made good by more steps; what memory does not grow with stays."""
        whole, reduced = presets.settings(preset, device), presets.settings(preset, device, reduced=True)
        assert reduced.promise == whole.promise
        assert reduced.photo_px == whole.photo_px // 2
        assert reduced.sift_px == whole.sift_px * 2 // 3
        assert reduced.sift_features == whole.sift_features // 2
        assert reduced.rays == whole.rays // 2
        assert reduced.steps == whole.steps * 3 // 2
        assert reduced.grid == whole.grid * 3 // 4
        assert reduced.texture_px == whole.texture_px // 2
        changed = {name for name, size in _sizes(whole).items() if _sizes(reduced)[name] != size}
        assert changed == {"photo_px", "sift_px", "sift_features", "rays", "steps", "grid", "texture_px"}


def _sizes(settings: presets.Settings) -> dict[str, Any]:
    return {name: value for name, value in vars(settings).items() if name != "promise"}


def measured(**fields: Any) -> SceneQuality:
    """The quality of a model that just keeps `PROMISE` and needs no advice."""
    kept: dict[str, Any] = {
        "photos_given": 100,
        "photos_registered": 100,
        "reprojection_error_px": 1.0,
        "psnr_object_db": PROMISE.min_psnr_db,
        "held_out_views": 10,
        "faces": PROMISE.min_faces,
        "texture_px": 1024,
        "masks": "alpha",
        "coverage": 0.7,
        "notes": (),
    }
    return SceneQuality.model_validate(kept | fields)


class TestHeldAgainstThePromise:
    @pytest.mark.parametrize(
        ("field", "kept", "broken"),
        [
            ("psnr_object_db", 18.0, 17.9),
            ("reprojection_error_px", 1.5, 1.51),
            ("faces", 2_000, 1_999),
            ("coverage", 0.5, 0.49),
            ("photos_registered", 70, 69),
        ],
    )
    def test_each_member_counts_from_exactly_its_limit_on(self, field: str, kept: float, broken: float) -> None:
        assert list(report._failings(measured(**{field: kept}), PROMISE)) == []
        assert len(list(report._failings(measured(**{field: broken}), PROMISE))) == 1

    def test_a_camera_error_is_named_with_its_limit(self) -> None:
        (failing,) = report._failings(measured(reprojection_error_px=3.0), PROMISE)
        assert failing == "camera error 3.00 px instead of 1.50"

    def test_frames_of_a_video_that_were_thinned_out_are_not_missing(self) -> None:
        """Sixty of sixty frames that were used, of three hundred that came."""
        thinned = measured(photos_given=300, photos_used=60, photos_registered=60)
        assert list(report._failings(thinned, PROMISE)) == []

    @pytest.mark.parametrize(
        ("field", "good", "poor", "words"),
        [
            ("photos_registered", 90, 89, "closer to each other"),
            ("coverage", 0.7, 0.69, "every side"),
            ("reprojection_error_px", 1.125, 1.13, "Hold the camera still"),
            ("masks", "alpha", "none", "plain background"),
            ("psnr_object_db", 18.0, 17.9, "even light"),
            ("faces", 2_000, 1_999, "fill more"),
        ],
    )
    def test_advice_begins_before_the_promise_is_broken(
        self, field: str, good: float | str, poor: float | str, words: str
    ) -> None:
        """Photos, sides and sharpness are spoken of while the model is still good enough."""
        assert list(report._advice(measured(**{field: good}), PROMISE)) == []
        (advice,) = report._advice(measured(**{field: poor}), PROMISE)
        assert words in advice

    def test_a_higher_promise_moves_the_advice_with_it(self) -> None:
        strict = replace(PROMISE, min_registered=0.95, min_coverage=0.9)
        assert len(list(report._advice(measured(photos_registered=94, coverage=0.89), strict))) == 2


class TestLight:
    @pytest.mark.parametrize(("light", "factor"), [(1.7, 1.7), (0.6, 0.6), (3.0, 2.0), (0.2, 0.5)])
    def test_a_factor_of_two_is_made_good_and_no_more(self, light: float, factor: float) -> None:
        drawn = np.random.default_rng(0).uniform(20, 80, (50, 3)).astype(np.float32)
        assert quality.in_light_of(drawn, drawn * light) == pytest.approx(drawn * factor, rel=1e-4)

    def test_each_channel_has_its_own_factor(self) -> None:
        drawn = np.full((5, 3), 60, np.float32)
        assert quality.in_light_of(drawn, drawn * [0.8, 1.0, 1.5])[0] == pytest.approx([48, 60, 90], rel=1e-4)
