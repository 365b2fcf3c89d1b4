"""Masks: which kind is chosen, and how well GrabCut finds the object."""

import cv2
import numpy as np
import pytest

from infrastructure.local.demo.render.studio import cameras, picture
from worker.engines.scene import masks, photos

pytestmark = pytest.mark.part("JOB-10")


def opaque(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


@pytest.fixture(scope="module")
def shots() -> list[tuple[np.ndarray, np.ndarray]]:
    """(photo on plain paper, true alpha) of three views."""
    chosen = cameras(24, (320, 240), 3)[::10]
    return [(opaque(picture(c, "plain", 0)), picture(c, "alpha", 0)[..., 3]) for c in chosen]


class TestChoice:
    def test_photos_with_alpha_use_it(self) -> None:
        image = np.zeros((60, 80, 4), np.uint8)
        image[20:40, 20:50] = 255
        assert masks.choose([image] * 9) == "alpha"

    def test_plain_borders_are_cut(self, shots: list[tuple[np.ndarray, np.ndarray]]) -> None:
        assert masks.choose([photo for photo, _ in shots]) == "grabcut"

    def test_busy_borders_get_no_masks(self) -> None:
        busy = [opaque(picture(c, "textured", 0)) for c in cameras(24, (320, 240), 3)[::10]]
        assert masks.choose(busy) == "none"

    def test_one_opaque_photo_among_transparent_ones_forbids_alpha(self) -> None:
        image = np.zeros((60, 80, 4), np.uint8)
        image[20:40, 20:50] = 255
        noise = opaque(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))
        assert masks.choose([image] * 5 + [noise] * 4) == "none"


class TestCut:
    def test_outline_agrees_with_the_truth(self, shots: list[tuple[np.ndarray, np.ndarray]]) -> None:
        for photo, alpha in shots:
            found = masks.cut(photo)
            assert found is not None
            true = alpha > 127
            both, either = ((found > 0) & true).sum(), ((found > 0) | true).sum()
            assert both / either > 0.96

    def test_an_empty_sheet_has_no_object(self) -> None:
        assert masks.cut(opaque(np.full((120, 160, 3), 200, np.uint8))) is None

    def test_an_object_that_touches_the_border_is_still_found(self) -> None:
        rgb = np.full((120, 160, 3), 220, np.uint8)
        cv2.circle(rgb, (80, 115), 30, (180, 40, 30), -1)
        found = masks.cut(opaque(rgb))
        assert found is not None
        assert found[110, 80] == 255
        assert found[20, 20] == 0

    def test_light_fall_off_is_background(self) -> None:
        y, x = np.mgrid[0:240, 0:320]
        level = 230 - 60 * ((x / 320 - 0.5) ** 2 + (y / 240 - 0.5) ** 2)
        rgb = np.repeat(level[..., None], 3, 2).astype(np.uint8)
        cv2.rectangle(rgb, (120, 80), (200, 180), (40, 90, 160), -1)
        found = masks.cut(opaque(rgb))
        assert found is not None
        assert abs((found > 0).sum() / (81 * 101) - 1) < 0.03


class TestShrinking:
    def test_clear_pixels_do_not_bleed_into_the_object(self) -> None:
        image = np.zeros((40, 40, 4), np.uint8)
        image[..., 1] = 255
        image[:, 13:27] = (200, 10, 10, 255)
        small = photos.shrink(image, 10)
        assert (small[small[..., 3] > 20][:, 1] < 15).all()
