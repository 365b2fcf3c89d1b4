"""The preview: the textured model on a turntable, as an animated WebP and a still PNG."""

import pathlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.engines.scene.quality import draw
from worker.engines.scene.rays import Floats, Tracer, bilinear
from worker.engines.scene.texture import Textured
from worker.engines.scene.views import View

_ELEVATION = 18.0
_STILL_AZIMUTH = -25.0
_FOCAL = 2.2
_SUPERSAMPLE = 2
_SHADOW = 0.45
_SHADE_CELLS = 96
_ROOM = 2.15


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
    stage = _Stage(model)
    pictures = []
    for number in range(frames):
        tick(0.9 * number / frames)
        pictures.append(stage.frame(size, facing + _STILL_AZIMUTH + 360 * number / frames))
    first, *rest = (Image.fromarray(picture) for picture in pictures)
    first.save(still, optimize=True)
    first.save(
        animation, save_all=True, append_images=rest, duration=round(4000 / frames), loop=0, quality=82, method=3
    )


class _Stage:
    """The model on its floor, ready to be drawn from anywhere."""

    def __init__(self, model: Textured) -> None:
        self._model = model
        self._tracer = Tracer(model.vertices, model.faces)
        self._low, self._high = model.vertices.min(0), model.vertices.max(0)
        self._centre = (self._low + self._high) / 2
        self._reach = float((self._high - self._low).max())
        self._radius = float(np.linalg.norm(model.vertices - self._centre, axis=1).max())
        self._shade = self._hidden_sky()

    def _hidden_sky(self) -> Floats:
        """Share of the sky (C, C, 1) that the model hides from the floor, on a square of side 2 * _reach round it."""
        steps = np.linspace(-self._reach, self._reach, _SHADE_CELLS)
        x, y = np.meshgrid(steps + self._centre[0], steps + self._centre[1], indexing="xy")
        start = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, self._low[2] - 0.01 * self._reach)])
        slopes = [(a + s, s) for s in (0.3, 0.8, 1.5, 2.5) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]
        hidden = np.zeros(x.size, np.float32)
        for angle, slope in slopes:
            direction = (np.cos(angle) * slope, np.sin(angle) * slope, 1.0)
            hidden += self._tracer.blocked(start, np.broadcast_to(direction, start.shape))
        # Gone at the rim of the square, where it would be cut off.
        fade = np.clip(1.6 * (1 - np.hypot(x - self._centre[0], y - self._centre[1]) / self._reach), 0, 1)
        return np.asarray(hidden.reshape(x.shape) / len(slopes) * fade, np.float32)[..., None]

    def frame(self, size: int, azimuth: float) -> npt.NDArray[np.uint8]:
        """One picture (size, size, 3), the camera at `azimuth` degrees."""
        view = self._camera(size * _SUPERSAMPLE, azimuth)
        colour, on = draw(self._model, view, self._tracer)
        small_on = on.reshape(size, _SUPERSAMPLE, size, _SUPERSAMPLE).mean((1, 3))[..., None]
        front = (colour * on[..., None]).reshape(size, _SUPERSAMPLE, size, _SUPERSAMPLE, 3).mean((1, 3))
        whole = front + (1 - small_on) * self._backdrop(view.scaled(size))
        return np.asarray(np.clip(whole + 0.5, 0, 255), np.uint8)

    def _camera(self, size: int, azimuth: float) -> View:
        a, e = np.radians(azimuth), np.radians(_ELEVATION)
        out = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        right = np.cross(-out, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(-out, right), -out
        pose[:3, 3] = self._centre + out * self._radius * _FOCAL * _ROOM
        return View(0, "preview", pose, (_FOCAL * size,) * 2, (size / 2, size / 2), size, size, False)

    def _backdrop(self, view: View) -> Floats:
        """A light studio with a soft shadow on the floor under the model."""
        origin, directions = view.rays()
        down = np.linspace(0, 1, view.height, dtype=np.float32).repeat(view.width)
        level = 246 - 24 * down[:, None] * np.array([1.0, 0.98, 0.94], np.float32)
        t = (self._low[2] - origin[2]) / np.minimum(directions[:, 2], -1e-6)
        floor = (origin + directions * t[:, None])[:, :2] - self._centre[:2]
        near = (directions[:, 2] < -1e-6) & (np.abs(floor) < self._reach).all(1)
        location = (floor[near] / self._reach + 1) / 2 * (_SHADE_CELLS - 1)
        level[near] *= 1 - _SHADOW * bilinear(self._shade, location[:, 0], location[:, 1])
        return np.asarray(level.reshape(view.height, view.width, 3), np.float32)
