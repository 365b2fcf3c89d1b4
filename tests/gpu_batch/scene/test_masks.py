"""Masks before the poses: which kind is chosen for a set, and how well each finds the object."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from infrastructure.local.demo.render.studio import cameras, picture
from worker.engines.scene import photos
from worker.engines.scene.masks import initial, plain_background
from worker.engines.scene.masks.store import Masks

pytestmark = pytest.mark.part("JOB-10")


def opaque(rgb: np.ndarray) -> np.ndarray:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def agreement(found: np.ndarray | None, true: np.ndarray) -> float:
    """Intersection over union."""
    assert found is not None
    return float(((found > 127) & true).sum() / ((found > 127) | true).sum())


@pytest.fixture(scope="module")
def shots() -> list[tuple[np.ndarray, np.ndarray]]:
    """(photo on plain paper, true alpha) of three views."""
    chosen = cameras(24, (320, 240), 3)[::10]
    return [(opaque(picture(c, "plain", 0)), picture(c, "alpha", 0)[..., 3]) for c in chosen]


def made(
    folder: Path, images: list[np.ndarray], ticks: Callable[[float], None] = lambda _: None
) -> initial.InitialMasks:
    """What the set of photos (H, W, 4) gets; the masks lie in `folder/masks`."""
    (folder / "photos").mkdir()
    paths = []
    for index, image in enumerate(images):
        paths.append(folder / "photos" / f"{index:03d}.png")
        photos.write(paths[-1], image)
    return initial.make(paths, Masks(folder / "masks", paths), None, ticks)


def cutout() -> np.ndarray:
    image = np.zeros((60, 80, 4), np.uint8)
    image[20:40, 20:50] = 255
    return image


class TestChoice:
    def test_photos_with_alpha_use_it(self, tmp_path: Path) -> None:
        assert made(tmp_path, [cutout()] * 9) == initial.InitialMasks("alpha", ())
        assert (photos.read(tmp_path / "masks" / "008.png")[..., 0] == cutout()[..., 3]).all()

    def test_plain_borders_are_cut(self, shots: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
        assert made(tmp_path, [photo for photo, _ in shots]).kind == "grabcut"

    def test_busy_borders_get_no_masks(self, tmp_path: Path) -> None:
        busy = [opaque(picture(c, "textured", 0)) for c in cameras(24, (320, 240), 3)[::5]]
        assert made(tmp_path, busy).kind == "none"
        assert not (tmp_path / "masks").exists()

    def test_in_a_mixed_set_alpha_is_used_where_it_is_and_the_customer_is_told(self, tmp_path: Path) -> None:
        noise = opaque(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))
        progress = made(tmp_path, [cutout()] * 5 + [noise] * 4)
        assert progress.kind == "none"
        assert progress.notes[0].startswith("5 of 9 photos have a transparent background")
        assert sorted(path.stem for path in (tmp_path / "masks").iterdir()) == [f"{index:03d}" for index in range(5)]

    def test_cuts_that_fail_too_often_are_not_believed(
        self, shots: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
    ) -> None:
        empty = opaque(np.full((240, 320, 3), 200, np.uint8))
        assert made(tmp_path, [shots[0][0], empty, empty, shots[1][0]]).kind == "none"
        assert list((tmp_path / "masks").iterdir()) == []

    def test_progress_rises_to_its_end(self, tmp_path: Path) -> None:
        progress: list[float] = []
        made(tmp_path, [cutout()] * 3, progress.append)
        assert progress == sorted(progress)
        assert 0 < progress[0] <= progress[-1] <= 1


class TestCut:
    def test_outline_agrees_with_the_truth(self, shots: list[tuple[np.ndarray, np.ndarray]]) -> None:
        for photo, alpha in shots:
            assert agreement(plain_background.cut(photo), alpha > 127) > 0.96

    def test_an_empty_sheet_has_no_object(self) -> None:
        assert plain_background.cut(opaque(np.full((120, 160, 3), 200, np.uint8))) is None

    def test_an_object_that_touches_the_border_is_still_found(self) -> None:
        rgb = np.full((120, 160, 3), 220, np.uint8)
        cv2.circle(rgb, (80, 115), 30, (180, 40, 30), -1)
        found = plain_background.cut(opaque(rgb))
        assert found is not None
        assert found[110, 80] == 255
        assert found[20, 20] == 0

    def test_light_fall_off_is_background(self) -> None:
        y, x = np.mgrid[0:240, 0:320]
        level = 230 - 60 * ((x / 320 - 0.5) ** 2 + (y / 240 - 0.5) ** 2)
        rgb = np.repeat(level[..., None], 3, 2).astype(np.uint8)
        cv2.rectangle(rgb, (120, 80), (200, 180), (40, 90, 160), -1)
        found = plain_background.cut(opaque(rgb))
        assert found is not None
        assert abs((found > 0).sum() / (81 * 101) - 1) < 0.03


class TestShrinking:
    def test_clear_pixels_do_not_bleed_into_the_object(self) -> None:
        image = np.zeros((40, 40, 4), np.uint8)
        image[..., 1] = 255
        image[:, 13:27] = (200, 10, 10, 255)
        small = photos.shrink(image, 10)
        assert (small[small[..., 3] > 20][:, 1] < 15).all()
