"""Upright by the floor, a box from a cluttered cloud, and the floor cut off: on a ball on a table, without photos."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from tests.gpu_batch.scene.sphere import RADIUS, capture_of_sphere, look_at_centre
from worker.engines.scene import fusion, normalise, surface, views
from worker.engines.scene.views import View

pytestmark = pytest.mark.part("JOB-10")
FLOOR = -RADIUS


def cameras(count: int = 16, turn: np.ndarray | None = None) -> list[View]:
    """Two rings above the table that look at the ball; `turn` (3, 3) turns the whole world."""
    made = []
    for index in range(count):
        angle, up = 2.4 * index, np.radians((15, 45)[index % 2])
        pose = look_at_centre(4 * np.array([np.cos(angle) * np.cos(up), np.sin(angle) * np.cos(up), np.sin(up)]))
        if turn is not None:
            pose[:3] = turn @ pose[:3]
        made.append(View(index, f"{index}.png", pose, (120.0, 120.0), (48.0, 48.0), 96, 96, held_out=False))
    return made


def cloud(seed: int = 0) -> np.ndarray:
    """Sparse points: the ball's, the table's, and clutter far off and under it."""
    random = np.random.default_rng(seed)
    ball = random.normal(size=(600, 3))
    ball = RADIUS * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    table = np.column_stack([random.uniform(-3, 3, (500, 2)), np.full(500, FLOOR)])
    clutter = random.uniform((-30, -30, -10), (30, 30, 50), (150, 3))
    return np.concatenate([ball, table + random.normal(0, 0.004, table.shape), clutter])


def ball_on_table(view: View) -> fusion.Depth:
    """What a camera sees: the ball, beside it the table, farther off nothing."""
    origin, directions = view.rays()
    a, b = (directions**2).sum(1), directions @ origin
    root = b**2 - a * (origin @ origin - RADIUS**2)
    ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    with np.errstate(divide="ignore"):
        table = np.where(directions[:, 2] < 0, (FLOOR - origin[2]) / directions[:, 2], np.inf)
    depth = np.minimum(ball, table).reshape(view.height, view.width)
    return fusion.Depth(view, torch.tensor(depth, dtype=torch.float32))


class TestUpright:
    def test_the_floor_tells_up_better_than_tilted_cameras(self) -> None:
        lean = trimesh.transformations.rotation_matrix(np.radians(20), [1, 0.3, 0])[:3, :3]
        turn, height = normalise._upright(cameras(turn=lean), cloud() @ lean.T)
        assert height == pytest.approx(FLOOR, abs=0.02)
        assert (turn @ lean @ [0, 0, 1])[2] > 0.9999

    def test_without_a_floor_the_cameras_tell_up(self) -> None:
        turn, height = normalise._upright(cameras(), cloud()[:600])
        assert height is None
        assert (turn @ [0, 0, 1])[2] > 0.99

    def test_a_wall_is_no_floor(self) -> None:
        """The same plane, with the cameras held as if it stood upright."""
        lying = [
            replace(view, pose=view.pose @ trimesh.transformations.rotation_matrix(np.radians(90), [0, 0, 1]))
            for view in cameras(1) * 12
        ]
        _, height = normalise._upright(lying, cloud())
        assert height is None


class TestBox:
    def test_the_box_holds_the_ball_and_no_clutter(self) -> None:
        low, high = normalise._sparse_box(cameras(), cloud(), FLOOR, keep_floor=False)
        assert (high < 1.3 * RADIUS).all()
        assert (low > -1.3 * RADIUS).all()
        assert (high > 0.95 * RADIUS).all()
        assert low[2] == FLOOR

    def test_a_kept_floor_is_in_the_box(self) -> None:
        low, _ = normalise._sparse_box(cameras(), cloud(), FLOOR, keep_floor=True)
        assert low[2] < FLOOR - 0.05


Fused = tuple[fusion.Grid, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def fused() -> Fused:
    """The table and the ball on it."""
    grid = fusion.Grid.over(np.full(3, -1.1), np.full(3, 1.1), 48)
    return grid, *fusion.fuse(grid, [ball_on_table(view) for view in cameras()], "cpu", lambda: None)


class TestCrop:
    def test_without_the_floor_a_closed_ball_is_left(self, fused: Fused) -> None:
        grid, distance, known = fused
        mesh = surface._isosurface(grid, surface._standing(grid, distance, known, FLOOR), None)
        assert mesh.is_watertight
        assert mesh.vertices[:, 2].min() > FLOOR
        assert mesh.extents[:2] == pytest.approx([2 * RADIUS] * 2, abs=3 * grid.cell)
        assert mesh.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.15)

    def test_with_the_floor_it_is_part_of_the_surface(self, fused: Fused) -> None:
        grid, distance, known = fused
        mesh = surface._isosurface(grid, distance, known)
        assert mesh.extents[0] > 2.0


class TestRecord:
    def test_the_floor_comes_back_and_old_records_have_none(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path, count=3)
        assert views.load(tmp_path).floor is None
        views.save(tmp_path, replace(capture, floor=-0.8))
        assert views.load(tmp_path).floor == -0.8
