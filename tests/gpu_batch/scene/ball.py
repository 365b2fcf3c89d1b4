"""Photos of a marbled ball before grey paper: a second thing that shares nothing with the rendered object."""

from pathlib import Path

import numpy as np
from PIL import Image

from infrastructure.local.demo.render.noise import fractal
from tests.gpu_batch.scene.sphere import RADIUS, look_at_centre

_AWAY = 3.6
_GREY = 210


def photograph(folder: Path, count: int, size: tuple[int, int], degrees: float) -> list[Path]:
    """Write `count` photos of `size` (width, height), from two heights over an arc of `degrees` about the z axis."""
    folder.mkdir(parents=True)
    written = []
    for index in range(count):
        angle, height = np.radians(degrees) * index / max(1, count - 1), np.radians(10 + 18 * (index % 2))
        eye = _AWAY * np.array([np.cos(angle) * np.cos(height), np.sin(angle) * np.cos(height), np.sin(height)])
        written.append(folder / f"ball-{index:02d}.jpg")
        Image.fromarray(_picture(eye, size, index)).save(written[-1], quality=94, subsampling=0)
    return written


def _picture(eye: np.ndarray, size: tuple[int, int], seed: int) -> np.ndarray:
    width, height = size
    v, u = np.mgrid[:height, :width] + 0.5
    focal = 1.4 * width
    local = np.stack([(u - width / 2) / focal, (v - height / 2) / focal, np.ones_like(u)], -1).reshape(-1, 3)
    rays = local @ look_at_centre(eye)[:3, :3].T
    a, b = (rays**2).sum(1), rays @ eye
    root = b**2 - a * (eye @ eye - RADIUS**2)
    hit = root > 0
    points = eye + ((-b - np.sqrt(np.maximum(root, 0))) / a)[:, None] * rays
    veins = fractal(points[hit].astype(np.float32), 5.0, 4, seed=40)
    tint = fractal(points[hit].astype(np.float32), 14.0, 3, seed=50)
    colour = np.full((len(rays), 3), float(_GREY))
    colour[hit] = 255 * np.clip(2.4 * (veins - 0.5) + 0.5, 0.05, 0.95)[:, None] * (0.4 + 0.6 * tint)[:, None]
    colour[hit] *= np.array([1.0, 0.8, 0.65])
    grain = np.random.default_rng(seed).normal(0, 1.0, colour.shape)
    return np.clip(colour + grain, 0, 255).astype(np.uint8).reshape(height, width, 3)
