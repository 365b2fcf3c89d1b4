"""The eight solids, and a ninth to be learned later, as signed distance functions; what a camera sees of them.

World: y is up, the solid stands on the floor, the camera looks down on it at ELEVATION in parallel projection. A solid
fills about the unit ball. Distances are exact or too short, never too long, so that marching along a ray is safe.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.float32]
Distance = Callable[[Array], Array]

ELEVATION = math.radians(22)
FORWARD = np.array([0, -math.sin(ELEVATION), -math.cos(ELEVATION)], np.float32)
_UP = np.array([0, math.cos(ELEVATION), -math.sin(ELEVATION)], np.float32)
_MARGIN = 1.25
_RADIUS = 96
"""Rays for one unit: twice what the largest solid of a picture has in pixels."""
_PAD = 16
_STEPS = 40
_TOUCH = 4e-3


@dataclass(frozen=True)
class Solid:
    """A distance function (points of shape (n, 3) → (n,)), how far below its centre the floor is, how wide it stands,
    and the turns about the vertical, in degrees, from which it is known for what it is.
    """

    distance: Distance
    floor: float
    foot: float
    turns: tuple[float, float]


@dataclass(frozen=True)
class View:
    """What the camera sees in a square box around the solid's centre: normals (h, w, 3), at most 1 long, and coverage
    (h, w).
    """

    normal: Array
    cover: Array
    radius: float
    """Pixels for one unit."""


def _polygon(corners: list[tuple[float, float]]) -> Callable[[Array, Array], Array]:
    """The signed distance of points (x, y) to a polygon: the nearest edge, negative inside (crossing number)."""
    ring = np.array(corners, np.float32)

    def distance(x: Array, y: Array) -> Array:
        nearest = np.full(x.shape, np.inf, np.float32)
        inside = np.zeros(x.shape, bool)
        for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            ex, ey = bx - ax, by - ay
            along = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1)
            nearest = np.minimum(nearest, (x - ax - along * ex) ** 2 + (y - ay - along * ey) ** 2)
            if ey:
                inside ^= ((ay > y) != (by > y)) & (x < ax + ex * (y - ay) / ey)
        away: Array = np.sqrt(nearest)
        return np.where(inside, -away, away)

    return distance


def _turned(corners: list[tuple[float, float]], rounding: float) -> Distance:
    """A profile (distance from the axis, height), mirrored at the axis and turned about it."""
    mirrored = corners + [(-x, y) for x, y in reversed(corners) if x > 0]
    flat = _polygon(mirrored)
    return lambda p: flat(np.hypot(p[:, 0], p[:, 2]), p[:, 1]) - np.float32(rounding)


def _thick(corners: list[tuple[float, float]], half: float, rounding: float) -> Distance:
    """An outline in the xy plane, `half` thick to both sides."""
    flat = _polygon(corners)

    def distance(p: Array) -> Array:
        side, face = flat(p[:, 0], p[:, 1]), np.abs(p[:, 2]) - np.float32(half)
        outside: Array = np.hypot(np.maximum(side, 0), np.maximum(face, 0))
        return outside + np.minimum(np.maximum(side, face), 0) - np.float32(rounding)

    return distance


def _planes(normals: list[tuple[float, float, float]], offsets: list[float]) -> Distance:
    """A convex body: the farthest of its planes. Too short beyond edges, which is safe."""
    facing = np.array(normals, np.float32)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    return lambda p: (p @ facing.T - np.array(offsets, np.float32)).max(axis=1)


def _ball(p: Array) -> Array:
    away: Array = np.linalg.norm(p, axis=1)
    return away - np.float32(0.86)


def _ring(p: Array) -> Array:
    away: Array = np.hypot(np.hypot(p[:, 0], p[:, 1]) - np.float32(0.64), p[:, 2])
    return away - np.float32(0.27)


def _star_outline(points: int, outer: float, inner: float) -> list[tuple[float, float]]:
    radii = [outer, inner] * points
    turns = [math.pi * i / points for i in range(2 * points)]
    return [(r * math.sin(t), r * math.cos(t)) for r, t in zip(radii, turns, strict=True)]


def _heart_outline() -> list[tuple[float, float]]:
    """Two half discs on a rounded wedge."""
    left = [(-0.45 + 0.45 * math.cos(t), 0.32 + 0.45 * math.sin(t)) for t in np.linspace(0, math.pi * 1.08, 10)]
    right = [(-x, y) for x, y in reversed(left)]
    return [*left, (0.0, -0.88), *right[:-1]]


_SLOPE = 0.78 / 1.7
SOLIDS: dict[str, Solid] = {
    "sphere": Solid(_ball, 0.86, 0.6, (0, 0)),
    "cube": Solid(_thick([(-0.6, -0.6), (0.6, -0.6), (0.6, 0.6), (-0.6, 0.6)], 0.6, 0.05), 0.65, 0.85, (25, 65)),
    "cone": Solid(_turned([(0.76, -0.78), (0.0, 0.92)], 0.04), 0.82, 0.8, (0, 0)),
    "cylinder": Solid(_turned([(0.54, -0.76), (0.54, 0.76)], 0.05), 0.81, 0.62, (0, 0)),
    "torus": Solid(_ring, 0.91, 0.45, (-38, 38)),
    "pyramid": Solid(
        _planes(
            [(0, -1, 0), (1, _SLOPE, 0), (-1, _SLOPE, 0), (0, _SLOPE, 1), (0, _SLOPE, -1)],
            [0.74, *[0.9 * _SLOPE / math.hypot(1, _SLOPE)] * 4],
        ),
        0.74,
        0.9,
        (20, 70),
    ),
    "star": Solid(_thick(_star_outline(5, 0.98, 0.42), 0.2, 0.03), 0.82, 0.75, (-32, 32)),
    "heart": Solid(_thick(_heart_outline(), 0.2, 0.06), 0.92, 0.4, (-32, 32)),
}
"""The shapes by name. Cube, star and heart are outlines with thickness; cone and cylinder are turned profiles."""
_ARM, _REACH = 0.3, 0.86
_CROSS = [(_ARM, _REACH), (_ARM, _ARM), (_REACH, _ARM), (_REACH, -_ARM), (_ARM, -_ARM), (_ARM, -_REACH)]
NEW_SOLIDS: dict[str, Solid] = {
    "cross": Solid(_thick([*_CROSS, *((-x, -y) for x, y in _CROSS)], 0.26, 0.03), 0.89, 0.45, (-32, 32)),
}
"""What the model is not trained on: things for a LoRA to learn."""


def view(shape: str, turn: float) -> View:
    """Sphere-trace a solid that is turned by `turn` degrees. Slow (0.1 s): keep it and take `scaled` ones."""
    pixels = 2 * math.ceil(_MARGIN * _RADIUS)
    at = ((np.arange(pixels) + 0.5 - pixels / 2) / _RADIUS).astype(np.float32)
    across, down = np.meshgrid(at, at)
    origin = across.reshape(-1, 1) * np.array([1, 0, 0], np.float32) + down.reshape(-1, 1) * -_UP
    solid = SOLIDS.get(shape) or NEW_SOLIDS[shape]
    normal, hit = _march(_spun(solid.distance, math.radians(turn)), origin - 2 * FORWARD)
    return View(normal.reshape(pixels, pixels, 3), hit.reshape(pixels, pixels).astype(np.float32), _RADIUS)


def scaled(seen: View, radius: float) -> View:
    """The same view with `radius` pixels for one unit: each pixel the mean of what lies below it."""
    size = 2 * math.ceil(_MARGIN * radius)
    reach = size * seen.radius / radius / 2
    middle = seen.cover.shape[0] / 2
    box = (middle - reach, middle - reach, middle + reach, middle + reach)

    def small(channel: Array) -> Array:
        padded = Image.fromarray(np.pad(channel, _PAD))
        edge = tuple(side + _PAD for side in box)
        return np.asarray(padded.resize((size, size), Image.Resampling.BOX, box=edge), np.float32)

    cover = small(seen.cover)
    normal = np.stack([small(seen.normal[..., axis]) for axis in range(3)], axis=2)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    return View(normal / np.maximum(length, 1e-6), cover, radius)


def _spun(distance: Distance, turn: float) -> Distance:
    cos, sin = math.cos(turn), math.sin(turn)
    matrix = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
    return lambda p: distance(p @ matrix.T)


def _march(distance: Distance, origin: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Unit normals (n, 3), zero where the ray misses, and which rays hit."""
    along = np.zeros(len(origin), np.float32)
    going = np.arange(len(origin))
    for _ in range(_STEPS):
        step = distance(origin[going] + along[going, None] * FORWARD)
        along[going] += step
        going = going[(step > _TOUCH) & (along[going] < 4)]
    hit = along < 4
    hit[going] = False
    point = origin[hit] + along[hit, None] * FORWARD
    slope = [distance(point + axis) - distance(point - axis) for axis in np.eye(3, dtype=np.float32) * 0.01]
    normal = np.zeros((len(origin), 3), np.float32)
    found = np.stack(slope, axis=1)
    normal[hit] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
    return normal, hit
