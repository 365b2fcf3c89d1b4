"""A capture of a painted sphere with exact cameras: no photos, no SfM."""

from pathlib import Path

import numpy as np

from worker.engines.scene import photos, views
from worker.engines.scene.views import Capture, View

RADIUS = 0.8


def colour_of(points: np.ndarray) -> np.ndarray:
    """Smooth colours (N, 3) in 0..255 on the sphere."""
    return np.clip(127.5 + 100 * points / RADIUS, 0, 255)


def look_at_centre(eye: np.ndarray) -> np.ndarray:
    """World from camera (4, 4): at `eye`, towards the origin, level."""
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return pose


def capture_of_sphere(folder: Path, count: int = 14, size: int = 96) -> Capture:
    """Views on a spiral over the whole sphere, written to `folder`; none is held out."""
    (folder / "views").mkdir(exist_ok=True)
    made = []
    for index in range(count):
        z = 0.9 * (1 - 2 * (index + 0.5) / count)
        angle = 2.4 * index
        eye = 4 * np.array([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z])
        view = View(
            index, f"{index}.png", look_at_centre(eye), (size * 1.6,) * 2, (size / 2,) * 2, size, size, held_out=False
        )
        origin, directions = view.rays()
        a, b = (directions**2).sum(1), directions @ origin
        root = b**2 - a * (origin @ origin - RADIUS**2)
        hit = root > 0
        t = (-b - np.sqrt(np.maximum(root, 0))) / a
        rgba = np.zeros((size * size, 4), np.uint8)
        rgba[hit, :3] = colour_of(origin + t[hit, None] * directions[hit])
        rgba[hit, 3] = 255
        photos.write(folder / "views" / f"{index:03d}.png", rgba.reshape(size, size, 4))
        made.append(view)
    box = np.full(3, 1.0)
    capture = Capture(tuple(made), -box, box, "alpha", np.zeros((0, 3)), np.zeros((0, 2), np.int64), 0.3, "exact")
    views.save(folder, capture)
    return capture
