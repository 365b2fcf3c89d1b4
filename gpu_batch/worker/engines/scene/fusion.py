"""Truncated signed distance fusion (Curless and Levoy 1996) of depth pictures, with silhouettes as a second witness.

A cell in front of what a view sees is free; where the field is transparent along the whole ray (accumulation under
one half), everything along it is free. With masks the result is cut with the visual hull, whose distance comes from the
photos at full sharpness and so keeps thin parts that the small field blurs.
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from worker.engines.scene import views
from worker.engines.scene.views import Array, Capture, View

TRUNCATION_CELLS = 3.0
_BEHIND_SHARE = 0.1
_BEHIND_WEIGHT = 0.2
"""Behind a seen surface, as deep as this share of the grid, a view is a weak witness for "solid". Without it a single
view that looked too deep digs a cavity that nobody contradicts."""
_SLAB = 1 << 20
_REACH_CELLS = 2.0
"""How far a sparse point moves the surface round it (standard deviation of a Gaussian)."""
_DOUBT = 0.3
"""As many points at distance zero would leave the surface where it is."""
_ROUNDS = 3


@dataclass(frozen=True)
class Grid:
    """Cells (nx, ny, nz) of side `cell`, the first one's centre at `low`."""

    low: Array
    cell: float
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, low: Array, high: Array, longest: int) -> "Grid":
        """Cover a box with `longest` cells along its longest side."""
        cell = float((high - low).max()) / (longest - 1)
        nx, ny, nz = (int(n) for n in np.ceil((high - low) / cell) + 1)
        return cls(low, cell, (nx, ny, nz))

    def centres(self, device: str) -> torch.Tensor:
        """Positions (cells, 3), x slowest."""
        axes = [self.low[k] + self.cell * torch.arange(self.shape[k], dtype=torch.float32) for k in range(3)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).to(device)


@dataclass(frozen=True)
class Depth:
    """What one view sees: depth along the camera's axis (H, W), infinite where the ray meets nothing."""

    view: View
    depth: torch.Tensor


def fuse(grid: Grid, depths: Sequence[Depth], device: str, between: Callable[[], Any]) -> tuple[Any, Any]:
    """Signed distance in cells (nx, ny, nz), clipped to ±TRUNCATION_CELLS, negative inside, and whether it was seen.

    What no view ever looked at counts as inside. `between` is called before each view and may raise to stop.
    """
    points = grid.centres(device)
    total = torch.zeros(len(points), device=device)
    weight = torch.zeros(len(points), device=device)
    limit = TRUNCATION_CELLS * grid.cell
    deep = _BEHIND_SHARE * max(grid.shape) * grid.cell
    for shot in depths:
        between()
        for start in range(0, len(points), _SLAB):
            part = slice(start, start + _SLAB)
            where, z, inside = _project(shot.view, points[part])
            seen = _sample(shot.depth, where, nearest=True)
            # A second, smooth reading gives sub-pixel depth where the four neighbours agree.
            smooth = _sample(shot.depth.nan_to_num(posinf=0.0), where, nearest=False)
            seen = torch.where((smooth - seen).abs() < limit, smooth, seen.clamp_max(1e6))
            gap = seen - z
            trust = torch.where(gap > -limit, 1.0, _BEHIND_WEIGHT) * (inside & (gap > -deep))
            total[part] += trust * gap.clamp(-limit, limit)
            weight[part] += trust
    known = weight > 0
    distance = torch.where(known, total / weight.clamp_min(1e-6), torch.tensor(-limit, device=device)) / grid.cell
    return distance.reshape(grid.shape).cpu().numpy(), known.reshape(grid.shape).cpu().numpy()


def fit(grid: Grid, distance: Any, points: Array) -> Any:
    """Move the surface of a signed distance in cells (nx, ny, nz) towards the sparse points (N, 3).

    Triangulated points lie on the surface within a tenth of a cell or so, rendered depth is off by one and more. What a
    point reads in the field is its error there; it is taken away round the point, smoothly. In rounds, because beyond
    the truncation the field tells no more than the side.
    """
    at = ((points - grid.low) / grid.cell).T
    cells = np.round(at).astype(np.int64)
    inside = ((cells >= 0) & (cells < np.array(grid.shape)[:, None])).all(0)
    at, where = at[:, inside], tuple(cells[:, inside])
    # One point alone weighs 1 in its own cell.
    peak = (2 * np.pi * _REACH_CELLS**2) ** 1.5
    weight = np.zeros(grid.shape, np.float32)
    np.add.at(weight, where, peak)
    weight = ndimage.gaussian_filter(weight, _REACH_CELLS)
    for _ in range(_ROUNDS):
        off = np.zeros(grid.shape, np.float32)
        np.add.at(off, where, peak * ndimage.map_coordinates(distance, at, order=1))
        distance = distance - ndimage.gaussian_filter(off, _REACH_CELLS) / (weight + _DOUBT)
    return distance


def hull(folder: pathlib.Path, capture: Capture, grid: Grid, longest: int, device: str) -> Any:
    """Signed distance in cells (nx, ny, nz) to the visual hull of all views' masks, clipped as in `fuse`.

    The second largest distance over the views decides, so that one bad mask cuts nothing off.
    """
    points = grid.centres(device)
    worst = torch.full((2, len(points)), -torch.inf, device=device)
    for view in capture.views:
        small = view.scaled(longest)
        alpha = views.image(folder, small)[..., 3]
        solid = (alpha > 127).astype(np.uint8)
        outside = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
        inside = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
        # Half a pixel: distances are measured between pixel centres, the outline lies between them.
        edge = torch.tensor(np.where(solid > 0, 0.5 - inside, outside - 0.5), device=device)
        focal = (small.focal[0] + small.focal[1]) / 2
        for start in range(0, len(points), _SLAB):
            part = slice(start, start + _SLAB)
            where, z, framed = _project(small, points[part])
            away = _sample(edge, where, nearest=False) * z / focal / grid.cell
            away = torch.where(framed, away, torch.tensor(-torch.inf, device=device))
            worst[:, part] = torch.cat([worst[:, part], away[None]]).topk(2, dim=0).values
    return worst[1].clamp(-TRUNCATION_CELLS, TRUNCATION_CELLS).reshape(grid.shape).cpu().numpy()


def _project(view: View, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Places in grid_sample's -1..1 (N, 2), depth (N,) and whether they lie in the picture (N,)."""
    pose = torch.tensor(view.pose, dtype=torch.float32, device=points.device)
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    z = local[:, 2]
    safe = z.clamp_min(1e-6)
    u = (view.focal[0] * local[:, 0] / safe + view.centre[0]) / view.width * 2 - 1
    v = (view.focal[1] * local[:, 1] / safe + view.centre[1]) / view.height * 2 - 1
    inside = (z > 1e-6) & (u.abs() < 1) & (v.abs() < 1)
    return torch.stack([u, v], 1), z, inside


def _sample(picture: torch.Tensor, where: torch.Tensor, nearest: bool) -> torch.Tensor:
    mode = "nearest" if nearest else "bilinear"
    read = functional.grid_sample(
        picture[None, None], where[None, None], mode=mode, padding_mode="border", align_corners=False
    )
    return read[0, 0, 0]
