"""Masks after the poses: made from the sparse cloud before a busy background, mended where a photo was cut wrongly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.gpu_batch.scene.rendered import FLOOR, render
from worker.engines.scene import photos, views
from worker.engines.scene.masks import sparse
from worker.engines.scene.masks.outline import outline, overlap
from worker.engines.scene.views import Capture

pytestmark = pytest.mark.part("JOB-10")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Capture, np.ndarray]:
    """Twelve views before a patterned floor and wall, without masks; the true masks."""
    folder = tmp_path_factory.mktemp("busy")
    return folder, *render(folder, 12, "textured")


def copied(folder: Path, to: Path) -> Path:
    """A copy of the views, to be changed."""
    (to / "views").mkdir()
    for path in (folder / "views").iterdir():
        (to / "views" / path.name).write_bytes(path.read_bytes())
    return to


def masks_in(folder: Path, capture: Capture) -> list[np.ndarray]:
    return [views.image(folder, view)[..., 3] > 127 for view in capture.views]


class TestFromTheSparseCloud:
    def test_outlines_before_a_busy_background_agree_with_the_truth(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        folder, capture, truth = busy
        progress: list[float] = []
        found = outline(copied(folder, tmp_path), capture, progress.append)
        assert found is not None
        assert found.capture.masks == "geometry"
        assert found.changed == 12
        agreed = [overlap(mask, true) for mask, true in zip(masks_in(tmp_path, capture), truth, strict=True)]
        assert np.median(agreed) > 0.94
        assert min(agreed) > 0.85
        assert progress == sorted(progress)

    def test_the_frame_is_fitted_to_the_object_and_points_of_other_things_are_dropped(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        folder, capture, _ = busy
        assert outline(copied(folder, tmp_path), capture, lambda _: None) is not None
        fitted = views.load(tmp_path)
        assert np.isclose((fitted.high - fitted.low).max(), 2.0)
        assert 850 <= len(fitted.points) <= 960
        # The same point is seen at the same pixel, before and after.
        number, row = fitted.tracks[0]
        u, v, _ = fitted.views[number].project(fitted.points[[row]])
        before = np.stack(capture.views[number].project(capture.points)[:2])
        assert np.abs(before - np.array([u, v])).max(0).min() < 1e-2

    def test_too_few_points_are_no_outline_and_change_nothing(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        folder, capture, _ = busy
        copied(folder, tmp_path)
        poor = replace(capture, points=capture.points[:30], tracks=capture.tracks[capture.tracks[:, 1] < 30])
        assert outline(tmp_path, poor, lambda _: None) is None
        for path in (folder / "views").iterdir():
            assert (tmp_path / "views" / path.name).read_bytes() == path.read_bytes()

    def test_points_of_nothing_in_particular_are_not_believed(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        """A cloud that fills the room evenly: no object stands out."""
        folder, capture, _ = busy
        cloud = np.random.default_rng(1).uniform([-2, -2, 0], [2, 2, 3], (800, 3))
        fog = replace(capture, points=cloud, tracks=np.zeros((0, 2), np.int64))
        assert outline(copied(folder, tmp_path), fog, lambda _: None) is None


class TestMending:
    def test_a_mask_that_lacks_a_part_and_one_that_has_too_much_are_cut_again(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        folder, capture, truth = busy
        copied(folder, tmp_path)
        given = truth.copy()
        given[3, : int(np.median(np.nonzero(truth[3])[0]))] = False
        given[8, 150:, :120] = True
        for view, mask in zip(capture.views, given, strict=True):
            pixels = views.image(tmp_path, view)
            pixels[..., 3] = mask * np.uint8(255)
            photos.write(tmp_path / "views" / f"{view.index:03d}.png", pixels)
        assert max(overlap(given[3], truth[3]), overlap(given[8], truth[8])) < 0.8
        found = outline(tmp_path, replace(capture, masks="grabcut"), lambda _: None)
        assert found is not None
        assert found.capture.masks == "grabcut"
        mended = masks_in(tmp_path, capture)
        assert overlap(mended[3], truth[3]) > 0.88
        assert overlap(mended[8], truth[8]) > 0.88
        untouched = [n for n in range(12) if (mended[n] == truth[n]).all()]
        assert len(untouched) + found.changed == 12
        assert len(untouched) >= 6


class TestWrongCameras:
    def test_a_view_whose_mask_lies_elsewhere_is_taken_out_and_named(
        self, busy: tuple[Path, Capture, np.ndarray], tmp_path: Path
    ) -> None:
        """A camera that was registered a step to the side."""
        folder, capture, truth = busy
        copied(folder, tmp_path)
        for view, mask in zip(capture.views, truth, strict=True):
            pixels = views.image(tmp_path, view)
            pixels[..., 3] = mask * np.uint8(255)
            photos.write(tmp_path / "views" / f"{view.index:03d}.png", pixels)
        moved = capture.views[5].pose.copy()
        moved[:3, 3] += 0.7 * moved[:3, 0]
        shot = (*capture.views[:5], replace(capture.views[5], pose=moved), *capture.views[6:])
        found = outline(tmp_path, replace(capture, masks="grabcut", views=shot), lambda _: None)
        assert found is not None
        assert found.misplaced == ("5.jpg",)
        left = views.load(tmp_path)
        assert [view.name for view in left.views] == [f"{n}.jpg" for n in range(12) if n != 5]
        assert left.tracks[:, 0].max() == 10


class TestFloor:
    def test_the_floor_is_found_and_the_object_stands_on_it(self, busy: tuple[Path, Capture, np.ndarray]) -> None:
        _, capture, _ = busy
        eyes = np.array([view.pose[:3, 3] for view in capture.views])
        focus, reach = sparse.sight(eyes, np.array([view.pose[:3, 2] for view in capture.views]))
        ours, floor = sparse.on_object(capture.points, focus, reach, eyes)
        assert floor is not None
        assert floor.normal[2] > 0.999
        assert abs(floor.height - FLOOR) < 0.01
        assert ours[:900].mean() > 0.9
        assert not ours[900:].any()

    def test_without_a_floor_there_is_none(self, busy: tuple[Path, Capture, np.ndarray]) -> None:
        _, capture, _ = busy
        eyes = np.array([view.pose[:3, 3] for view in capture.views])
        assert sparse.find_floor(capture.points[:900], np.array([0, 0, 0.6]), eyes) is None
