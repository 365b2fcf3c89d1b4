"""Fusion, hull and mesh cleaning on a sphere whose depth is known exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from tests.gpu_batch.scene.sphere import RADIUS, capture_of_sphere
from worker.engines.scene import fusion, surface
from worker.errors import QualityError

pytestmark = pytest.mark.part("JOB-10")


def analytic(view: fusion.View) -> fusion.Depth:
    """Depth of the sphere, infinite beside it."""
    origin, directions = view.rays()
    a = (directions**2).sum(1)
    b = directions @ origin
    root = b**2 - a * (origin @ origin - RADIUS**2)
    depth = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    return fusion.Depth(view, torch.tensor(depth.reshape(view.height, view.width), dtype=torch.float32))


class TestFusion:
    def test_sphere_comes_back_within_a_third_of_a_cell(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        grid = fusion.Grid.over(capture.low, capture.high, 40)
        distance, known = fusion.fuse(grid, [analytic(view) for view in capture.views], "cpu", lambda: None)
        mesh = surface._isosurface(grid, distance, None)
        radii = np.linalg.norm(mesh.vertices, axis=1)
        assert np.abs(radii - RADIUS).mean() < grid.cell / 3
        assert np.abs(radii - RADIUS).max() < 1.2 * grid.cell
        assert mesh.is_watertight
        assert mesh.volume > 0
        assert known[0, 0, 0]

    def test_one_view_that_looks_too_deep_digs_no_hole(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        grid = fusion.Grid.over(capture.low, capture.high, 40)
        depths = [analytic(view) for view in capture.views]
        depths[0] = fusion.Depth(depths[0].view, depths[0].depth + RADIUS)
        distance, _ = fusion.fuse(grid, depths, "cpu", lambda: None)
        mesh = surface._isosurface(grid, surface._without_cavities(distance), None)
        assert mesh.volume > 0.9 * 4 / 3 * np.pi * RADIUS**3

    def test_sparse_points_pull_a_wrong_surface_to_where_they_are(self, tmp_path: Path) -> None:
        """All views look one and a half cells too deep; points on one half of the sphere know better."""
        capture = capture_of_sphere(tmp_path)
        grid = fusion.Grid.over(capture.low, capture.high, 40)
        depths = [analytic(view) for view in capture.views]
        deep = [fusion.Depth(shot.view, shot.depth + 1.5 * grid.cell) for shot in depths]
        distance, _ = fusion.fuse(grid, deep, "cpu", lambda: None)
        points = trimesh.creation.icosphere(4, RADIUS).vertices
        points = points[points[:, 2] > 0]

        def radii(field: np.ndarray) -> tuple[float, float]:
            vertices = surface._isosurface(grid, field, None).vertices
            away = np.linalg.norm(vertices, axis=1)
            return float(away[vertices[:, 2] > 0.3].mean()), float(away[vertices[:, 2] < -0.3].mean())

        before, after = radii(distance), radii(fusion.fit(grid, distance, points))
        assert before[0] < RADIUS - 0.45 * grid.cell
        assert after[0] == pytest.approx(RADIUS, abs=0.25 * grid.cell)
        assert after[1] == pytest.approx(before[1], abs=0.05 * grid.cell)

    def test_no_points_change_nothing(self, tmp_path: Path) -> None:
        grid = fusion.Grid.over(np.full(3, -1.0), np.full(3, 1.0), 12)
        field = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
        assert (fusion.fit(grid, field, np.zeros((0, 3))) == field).all()

    def test_hull_of_the_masks_holds_the_sphere_and_little_more(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        grid = fusion.Grid.over(capture.low, capture.high, 40)
        mesh = surface._isosurface(grid, fusion.hull(tmp_path, capture, grid, 500, "cpu"), None)
        radii = np.linalg.norm(mesh.vertices, axis=1)
        assert radii.min() > RADIUS - grid.cell
        assert np.median(radii) < RADIUS + grid.cell

    def test_an_empty_field_is_a_quality_failure(self, tmp_path: Path) -> None:
        capture = capture_of_sphere(tmp_path)
        grid = fusion.Grid.over(capture.low, capture.high, 12)
        empty = [fusion.Depth(view, torch.full((view.height, view.width), torch.inf)) for view in capture.views]
        distance, _ = fusion.fuse(grid, empty, "cpu", lambda: None)
        with pytest.raises(QualityError, match="no_surface"):
            surface._isosurface(grid, distance, None)


class TestCleaning:
    def test_only_the_largest_part_stays(self) -> None:
        big, small = trimesh.creation.icosphere(3, 1.0), trimesh.creation.icosphere(2, 0.2)
        small.apply_translation([3, 0, 0])
        kept = surface._largest(trimesh.util.concatenate([small, big]))
        assert len(kept.faces) == len(big.faces)
        assert np.abs(kept.vertices).max() <= 1.0001

    def test_smoothing_does_not_shrink(self) -> None:
        sphere = trimesh.creation.icosphere(4, 1.0)
        before = sphere.volume
        assert surface._polished(sphere).volume == pytest.approx(before, rel=0.01)

    def test_decimation_keeps_the_budget_and_the_shape(self) -> None:
        small = surface.decimate(trimesh.creation.icosphere(5, 1.0), 1000)
        assert 800 <= len(small.faces) <= 1000
        assert small.is_watertight
        assert np.linalg.norm(small.vertices, axis=1) == pytest.approx(1.0, abs=0.02)

    def test_two_sheets_that_share_an_edge_are_parted(self) -> None:
        """Two cubes with one edge in common: it has four triangles, and no inside can be told there."""
        one, two = trimesh.creation.box(), trimesh.creation.box()
        two.apply_translation([1, 1, 0])
        both = trimesh.util.concatenate([one, two])
        both.merge_vertices()
        assert not both.is_watertight
        parted = surface._parted(both)
        assert parted.is_watertight
        assert parted.volume == pytest.approx(2)
        assert len(parted.faces) == 24

    def test_an_inside_out_mesh_is_turned(self) -> None:
        sphere = trimesh.creation.icosphere(2, 1.0)
        sphere.invert()
        assert surface._largest(sphere).volume > 0
