"""The object: a kingfisher on two mossy stones, as a signed distance field and as a mesh.

Units: the bird is about 1.2 high, z points up, the beak points to +x. It has no mirror symmetry, so that a
reconstruction cannot be right by turning it round.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import trimesh
from skimage import measure

from infrastructure.local.demo.render.noise import Floats, fractal

PARTS = ("stone", "pebble", "body", "head", "beak", "tail", "wing_left", "wing_right", "legs", "crest")
LOW, HIGH = np.array([-0.75, -0.6, -0.15], np.float32), np.array([0.75, 0.6, 1.4], np.float32)
_CELL = 0.0085
_BLEND = 0.035


def _turn(points: Floats, axis: int, degrees: float) -> Floats:
    angle = np.radians(degrees)
    a, b = [other for other in range(3) if other != axis]
    turned = points.copy()
    turned[:, a] = np.cos(angle) * points[:, a] - np.sin(angle) * points[:, b]
    turned[:, b] = np.sin(angle) * points[:, a] + np.cos(angle) * points[:, b]
    return turned


def _ellipsoid(points: Floats, centre: tuple[float, ...], radii: tuple[float, ...], tilt: float = 0.0) -> Floats:
    local = _turn(points - np.array(centre, np.float32), 1, tilt)
    scaled = local / np.array(radii, np.float32)
    k0 = np.linalg.norm(scaled, axis=1)
    k1 = np.linalg.norm(scaled / np.array(radii, np.float32), axis=1)
    return np.asarray(k0 * (k0 - 1.0) / np.maximum(k1, 1e-6), dtype=np.float32)


def _cone(points: Floats, start: tuple[float, ...], end: tuple[float, ...], r0: float, r1: float) -> Floats:
    a, b = np.array(start, np.float32), np.array(end, np.float32)
    along = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
    nearest = a + along[:, None] * (b - a)
    return np.asarray(np.linalg.norm(points - nearest, axis=1) - (r0 + along * (r1 - r0)), dtype=np.float32)


def part_distances(points: Floats) -> Floats:
    """Distances (parts, N) from points (N, 3), in the order of PARTS; negative inside."""
    rough = (fractal(points, 5.0, 3, seed=3) - 0.5) * 0.09
    legs = np.minimum(
        _cone(points, (0.04, 0.09, 0.42), (0.07, 0.1, 0.26), 0.05, 0.055),
        _cone(points, (0.02, -0.09, 0.42), (0.0, -0.1, 0.26), 0.05, 0.055),
    )
    return np.stack(
        [
            _ellipsoid(points, (-0.02, 0.0, 0.13), (0.44, 0.36, 0.19), 4.0) + rough,
            _ellipsoid(points, (0.34, -0.24, 0.08), (0.2, 0.17, 0.13)) + rough,
            _ellipsoid(points, (0.0, 0.0, 0.62), (0.24, 0.225, 0.33), -22.0),
            _ellipsoid(points, (0.13, 0.03, 0.97), (0.215, 0.2, 0.195)),
            _cone(points, (0.27, 0.08, 0.97), (0.6, 0.21, 0.93), 0.07, 0.014),
            _ellipsoid(points, (-0.36, -0.03, 0.43), (0.27, 0.12, 0.06), -38.0),
            _ellipsoid(points, (-0.09, 0.2, 0.62), (0.16, 0.075, 0.3), -32.0),
            _ellipsoid(points, (-0.09, -0.2, 0.6), (0.16, 0.075, 0.3), -40.0),
            legs,
            _cone(points, (0.03, 0.02, 1.12), (-0.17, -0.03, 1.25), 0.07, 0.02),
        ]
    )


def distance(points: Floats) -> Floats:
    """The whole object: the parts, blended where they meet."""
    parts = part_distances(points)
    total = parts[0]
    for other in parts[1:]:
        mix = np.clip(0.5 + 0.5 * (other - total) / _BLEND, 0.0, 1.0)
        total = other + mix * (total - other) - _BLEND * mix * (1.0 - mix)
    ripple = (fractal(points, 11.0, 2, seed=8) - 0.5) * 0.016
    return np.asarray(total + ripple, dtype=np.float32)


@cache
def object_mesh() -> trimesh.Trimesh:
    """The true surface: one closed part, about 100,000 faces."""
    axes = [np.arange(low, high, _CELL, dtype=np.float32) for low, high in zip(LOW, HIGH, strict=True)]
    field = np.empty(tuple(len(axis) for axis in axes), np.float32)
    flat: npt.NDArray[np.float32] = np.stack(np.meshgrid(axes[1], axes[2], indexing="ij"), -1).reshape(-1, 2)
    for index, x in enumerate(axes[0]):
        slab = np.column_stack([np.full(len(flat), x, np.float32), flat])
        field[index] = distance(slab).reshape(field.shape[1:])
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0, spacing=(_CELL,) * 3)  # type: ignore[no-untyped-call]
    mesh = trimesh.Trimesh(vertices + LOW, faces, process=True)
    largest = max(mesh.split(only_watertight=False), key=lambda part: part.area)
    if largest.volume < 0:
        largest.invert()
    return largest
