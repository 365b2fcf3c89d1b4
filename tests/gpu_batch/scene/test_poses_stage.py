"""Rendered sets through the real stages up to the poses: two objects, one side only, and a reclaim in the middle."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infrastructure.local.demo.render import render_photos
from infrastructure.local.demo.render.studio import cameras, picture
from tests.gpu_batch.scene import ball
from tests.gpu_batch.scene.attempt import Entry, work_of
from tests.gpu_batch.scene.conftest import FOCAL, SIZE, Run, Shoot
from tests.gpu_batch.scene.test_pipeline import truth_from_capture
from worker.engines.scene import views
from worker.errors import InputError, Interrupted
from worker.stages.scene import poses

pytestmark = pytest.mark.part("JOB-10")


def entry(tmp_path: Path, photos: list[Path]) -> Entry:
    return Entry(tmp_path / "entry", tmp_path / "kept", work_of(photos, SIZE, FOCAL), photos)


@pytest.mark.full
def test_two_objects_are_refused_with_the_photos_of_each(tmp_path: Path) -> None:
    bird = render_photos(tmp_path / "bird", 16, SIZE, seed=4)
    with pytest.raises(InputError, match="photos_of_two_scenes") as caught:
        entry(tmp_path, bird + ball.photograph(tmp_path / "ball", 12, SIZE, 150)).go(until="poses")
    assert "groups of 16 and 12" in str(caught.value)
    one, _, other = caught.value.fix.partition("The other:")
    assert ("photo-000.jpg" in one, "ball" in one) == (True, False)
    assert ("ball-00.jpg" in other, "photo" in other.partition("Send")[0]) == (True, False)


def one_side(folder: Path, degrees: float) -> list[Path]:
    """The photos of a walk round the object that were taken from an arc of it."""
    folder.mkdir()
    written = []
    for index, camera in enumerate(cameras(72, SIZE, 3)):
        if np.degrees(np.arctan2(camera.pose[1, 3], camera.pose[0, 3])) % 360 < degrees:
            written.append(folder / f"side-{index:02d}.jpg")
            Image.fromarray(picture(camera, "plain", index)).save(written[-1], quality=94, subsampling=0)
    return written


def test_photos_from_one_side_are_used_and_the_missing_sides_said(tmp_path: Path) -> None:
    photos = one_side(tmp_path / "side", 75)
    attempt = entry(tmp_path, photos)
    attempt.go(until="poses")
    assert attempt.state["registered"] == len(photos) > 12
    assert 45 <= attempt.state["view_degrees"] <= 90
    assert [note for note in attempt.notes if f"{attempt.state['view_degrees']}° of 360°" in note]


class Reclaimed(Entry):
    """An entry whose machine is taken away once the stage `poses` has come as far as `share`."""

    def __init__(self, share: float, *rest: Any) -> None:
        super().__init__(*rest)
        self.share = share

    def progress(self, fraction: float, message: str = "") -> None:
        super().progress(fraction, message)
        if self.progress_reports[-1][0] == "poses" and fraction > self.share:
            self.interrupted.set()


def rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def stands(attempt: Entry, shoot: Shoot) -> dict[str, np.ndarray]:
    """Where the cameras stood, by photo, in the truth's frame: mapping on several threads differs by bits."""
    capture = views.load(attempt.folder)
    matrix = truth_from_capture(capture, shoot.truth)
    return {view.name: matrix[:3, :3] @ view.pose[:3, 3] + matrix[:3, 3] for view in capture.views}


@pytest.mark.parametrize(
    ("share", "features", "pairs"),
    [pytest.param(0.2, range(4, 24), range(1), marks=pytest.mark.full), (0.45, [24], range(60, 276))],
)
def test_a_reclaim_amid_the_poses_leads_to_the_same_cameras(
    share: float,
    features: range,
    pairs: range,
    run: Run,
    shoot: Shoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poses, "_KEEP_EVERY_S", 0.0)
    given = tmp_path / "kept", run.first.work, shoot.photos
    first = Reclaimed(share, tmp_path / "one", *given)
    with pytest.raises(Interrupted):
        first.go(until="poses")
    kept = tmp_path / "kept" / "sparse" / "database.db"
    assert rows(kept, "keypoints") in features
    assert rows(kept, "matches") in pairs

    second = Entry(tmp_path / "two", *given)
    second.go(until="poses")
    assert second.ran == ["poses"]
    assert [rung["name"] for rung in second.state["rungs"]] == [rung["name"] for rung in run.first.state["rungs"]]
    whole, again = stands(run.first, shoot), stands(second, shoot)
    assert set(again) == set(whole)
    assert max(np.linalg.norm(again[name] - whole[name]) for name in whole) < 0.01 * 3.1
