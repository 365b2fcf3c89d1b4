"""The preview: the textured model on a turntable, as an animated WebP and a still PNG."""

import pathlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.engines.scene.quality import draw
from worker.engines.scene.rays import Tracer, bilinear
from worker.engines.scene.texture import Textured
from worker.engines.scene.views import View

_ELEVATION = 18.0
_STILL_AZIMUTH = -35.0
_FOCAL = 2.2
_SUPERSAMPLE = 2
_SHADOW = 0.34


def write(
    animation: pathlib.Path,
    still: pathlib.Path,
    model: Textured,
    size: int,
    frames: int,
    facing: float,
    tick: Callable[[float], None],
) -> None:
    """Draw `frames` square pictures of one turn, `size` pixels wide; `facing` (degrees) is where the front is."""
    tracer = Tracer(model.vertices, model.faces)
    pictures = []
    for number in range(frames):
        tick(0.9 * number / frames)
        pictures.append(frame(model, tracer, size, facing + _STILL_AZIMUTH + 360 * number / frames))
    first, *rest = (Image.fromarray(picture) for picture in pictures)
    first.save(still, optimize=True)
    first.save(animation, save_all=True, append_images=rest, duration=round(4000 / frames), loop=0, quality=82, method=3)


def frame(model: Textured, tracer: Tracer, size: int, azimuth: float) -> npt.NDArray[np.uint8]:
    """One picture (size, size, 3), the camera at `azimuth` degrees."""
    view = _camera(model, size * _SUPERSAMPLE, azimuth)
    colour, on = draw(model, view, tracer)
    backdrop = _backdrop(model, view, tracer)
    whole = np.where(on[..., None], colour, backdrop)
    small = whole.reshape(size, _SUPERSAMPLE, size, _SUPERSAMPLE, 3).mean((1, 3))
    return np.asarray(np.clip(small + 0.5, 0, 255), np.uint8)


def _camera(model: Textured, size: int, azimuth: float) -> View:
    low, high = model.vertices.min(0), model.vertices.max(0)
    centre = (low + high) / 2
    radius = float(np.linalg.norm(model.vertices - centre, axis=1).max())
    a, e = np.radians(azimuth), np.radians(_ELEVATION)
    out = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    forward = -out
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(forward, right), forward
    pose[:3, 3] = centre + out * radius * _FOCAL * 2.15
    focal = _FOCAL * size
    return View(0, "preview", pose, (focal, focal), (size / 2, size / 2), size, size, False)


def _backdrop(model: Textured, view: View, tracer: Tracer) -> npt.NDArray[np.float32]:
    """A light studio with a soft shadow on the floor under the model."""
    origin, directions = view.rays()
    down = np.linspace(0, 1, view.height, dtype=np.float32).repeat(view.width)
    level = 246 - 26 * down[:, None] * np.array([1.0, 0.98, 0.94], np.float32)
    low, high = model.vertices.min(0), model.vertices.max(0)
    t = (low[2] - origin[2]) / np.minimum(directions[:, 2], -1e-6)
    floor = origin + directions * t[:, None]
    reach = (high - low)[:2] * 0.9
    near = (directions[:, 2] < 0) & (np.abs(floor[:, :2] - (low + high)[:2] / 2) < reach).all(1)
    level[near] *= 1 - _SHADOW * _shade(model, floor[near], tracer, high[2] - low[2])[:, None]
    return np.asarray(level.reshape(view.height, view.width, 3), np.float32)


def _shade(model: Textured, points: npt.NDArray[np.floating], tracer: Tracer, height: float) -> npt.NDArray[np.float32]:
    """Share of the sky that the model hides from floor points, read from a coarse map."""
    cells = 72
    low, high = points.min(0), points.max(0)
    x, y = np.linspace(low[0], high[0], cells), np.linspace(low[1], high[1], cells)
    places = np.stack(np.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    start = np.column_stack([places, np.full(len(places), low[2] - 0.01 * height)])
    hidden = np.zeros(len(places), np.float32)
    directions = [
        (np.cos(a) * s, np.sin(a) * s, 1.0) for s in (0.3, 0.8, 1.5) for a in np.linspace(0, 2 * np.pi, 10)[:-1] + s
    ]
    for direction in directions:
        hidden += tracer.blocked(start, np.broadcast_to(direction, start.shape))
    grid = np.asarray(hidden.reshape(cells, cells) / len(directions), np.float32)[..., None]
    column = (points[:, 0] - low[0]) / max(high[0] - low[0], 1e-9) * (cells - 1)
    row = (points[:, 1] - low[1]) / max(high[1] - low[1], 1e-9) * (cells - 1)
    return bilinear(grid, column, row)[:, 0]
