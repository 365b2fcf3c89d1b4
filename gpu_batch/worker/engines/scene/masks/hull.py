"""What all masks allow together (Laurentini 1994), in voxels, and how it looks from each camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from worker.engines.scene.views import View

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_CELLS = 80
_DOUBT = 0.1
"""Share of the views that may deny a voxel: a single mask that lacks a part must not cut it off."""
_FRAMED = 0.5
"""Share of the views that must have a voxel in their picture."""


@dataclass(frozen=True)
class Hull:
    """Voxel centres (N, 3) and the voxels' side."""

    points: Array
    cell: float

    @property
    def box(self) -> tuple[Array, Array]:
        """Its lowest and highest corner."""
        return self.points.min(0) - self.cell / 2, self.points.max(0) + self.cell / 2

    def silhouette(self, view: "View") -> Bools:
        """Where the hull lies in the picture of `view`, (H, W)."""
        u, v, depth = view.project(self.points)
        front = depth > 1e-6
        picture = np.zeros((view.height, view.width), np.uint8)
        columns, rows = u[front].astype(int), v[front].astype(int)
        seen = (columns >= 0) & (rows >= 0) & (columns < view.width) & (rows < view.height)
        picture[rows[seen], columns[seen]] = 1
        across = self.cell * view.focal[0] / float(np.median(depth[front])) if front.any() else 1.0
        # Centres are a voxel apart: closing joins them, and what closing adds at the outline is half a voxel.
        size = 2 * round(0.75 * across) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return np.asarray(cv2.morphologyEx(cv2.dilate(picture, np.ones((2, 2), np.uint8)), cv2.MORPH_CLOSE, kernel) > 0)


def carve(
    views: Sequence["View"], masks: Sequence[Bools | None], low: Array, high: Array, floor: float | None
) -> Hull | None:
    """The voxels of the box that at most a few of the masks (H, W) deny; None where next to nothing is left.

    `views` have the sizes of their masks. A view without a mask denies nothing; nothing lies under `floor` (z).
    """
    cell = float((high - low).max()) / _CELLS
    axes = [np.arange(a + cell / 2, b, cell) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    if floor is not None:
        points = points[points[:, 2] > floor]
    known = sum(mask is not None for mask in masks)
    denied = np.zeros(len(points), np.int32)
    framed = np.zeros(len(points), np.int32)
    for number, (view, mask) in enumerate((v, m) for v, m in zip(views, masks, strict=True) if m is not None):
        u, v, depth = view.project(points)
        inside = (depth > 0) & (u >= 0) & (v >= 0) & (u < view.width) & (v < view.height)
        framed += inside
        denied[inside] += ~mask[v[inside].astype(int), u[inside].astype(int)]
        # What can no longer be kept is not looked at again.
        alive = (denied <= max(1, _DOUBT * known)) & (framed + known - number - 1 >= _FRAMED * known)
        points, denied, framed = points[alive], denied[alive], framed[alive]
    return Hull(points, cell) if len(points) >= 30 else None
