"""An object on a turntable before a room that stands still: it is noticed, and the room is subtracted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from infrastructure.local.demo.render.studio import picture, render_photos, turntable
from tests.gpu_batch.scene.attempt import Entry, work_of
from tests.gpu_batch.scene.conftest import FOCAL, SIZE
from worker.engines.scene.masks import initial, static_background
from worker.engines.scene.masks.outline import overlap
from worker.engines.scene.masks.store import Masks
from worker.errors import InputError

pytestmark = pytest.mark.part("JOB-10")


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty photos by a camera on a tripod."""
    return render_photos(tmp_path_factory.mktemp("turned") / "photos", 20, SIZE, background="still")


class TestSubtraction:
    def test_what_turns_is_the_object(self, turned: list[Path], tmp_path: Path) -> None:
        masks = Masks(tmp_path / "masks", turned)
        assert initial.make(turned, masks, None, lambda _: None) == initial.InitialMasks("background", ())
        for index in range(0, 20, 4):
            mask = masks[index]
            assert mask is not None
            truth = picture(turntable(20, SIZE)[index], "alpha", 0)[..., 3] > 127
            assert overlap(mask > 127, truth) > 0.95

    def test_a_change_of_exposure_does_not_count(self, turned: list[Path]) -> None:
        greys = [cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (192, 144)) for path in turned]
        dimmed = [np.asarray(grey * (1 - 0.01 * (n % 3)), np.uint8) for n, grey in enumerate(greys)]
        assert static_background.stands_still(dimmed)


class TestOtherSets:
    def test_a_background_without_texture_cannot_tell(self) -> None:
        greys = [np.full((144, 192), 200, np.uint8) for _ in range(9)]
        assert not static_background.stands_still(greys)

    def test_a_camera_that_moves_sees_other_pixels(self) -> None:
        wall = np.random.default_rng(0).integers(0, 255, (30, 60), np.uint8)
        wide = cv2.resize(wall, (600, 300), interpolation=cv2.INTER_CUBIC)
        assert not static_background.stands_still([wide[20:164, 12 * n : 12 * n + 192] for n in range(9)])

    def test_photos_of_two_sizes_were_not_taken_from_a_tripod(self) -> None:
        assert not static_background.stands_still([np.zeros((144, 192), np.uint8), np.zeros((192, 144), np.uint8)] * 4)


@pytest.mark.full
class TestPoses:
    """The room says that the camera stands still: with it there are no poses, without it there are."""

    def entry(self, tmp_path: Path, turned: list[Path]) -> Entry:
        return Entry(tmp_path / "entry", tmp_path / "kept", work_of(turned, SIZE, FOCAL), turned)

    def test_poses_follow_the_object(self, turned: list[Path], tmp_path: Path) -> None:
        entry = self.entry(tmp_path, turned)
        entry.go(until="outline")
        assert entry.state["masks"] == "background"
        assert entry.state["registered"] >= 18

    def test_with_the_room_in_view_the_camera_does_not_move(self, turned: list[Path], tmp_path: Path) -> None:
        entry = self.entry(tmp_path, turned)
        entry.go(until="check")
        entry.state.update(masks="none", masked=0)
        with pytest.raises(InputError, match="photos_without_parallax"):
            entry.go(until="poses")
