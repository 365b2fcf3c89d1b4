"""A capture of the rendered object with exact cameras and a sparse cloud sampled from the truth: no SfM."""

from pathlib import Path

import numpy as np

from infrastructure.local.demo.render.shape import object_mesh
from infrastructure.local.demo.render.studio import Background, cameras, picture
from worker.engines.scene import photos, views
from worker.engines.scene.views import Capture, View

FLOOR = -0.02
SIZE = (320, 240)


def render(folder: Path, count: int, background: Background) -> tuple[Capture, np.ndarray]:
    """Views without masks, written to `folder`, and the true masks (V, H, W)."""
    (folder / "views").mkdir(parents=True)
    shot, truth = [], []
    for index, camera in enumerate(cameras(count, SIZE, 5)):
        truth.append(picture(camera, "alpha", 0)[..., 3] > 127)
        rgb = picture(camera, background, index)
        photos.write(folder / "views" / f"{index:03d}.png", np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]))
        shot.append(
            View(index, f"{index}.jpg", camera.pose, (camera.focal,) * 2, (SIZE[0] / 2, SIZE[1] / 2), *SIZE, False)
        )
    points, tracks = _cloud(shot, truth)
    capture = Capture(
        tuple(shot), np.array([-1.0, -1.0, -0.2]), np.array([1.0, 1.0, 1.5]), "none", points, tracks, 0.3, "exact"
    )
    views.save(folder, capture)
    return capture, np.stack(truth)


def _cloud(shot: list[View], truth: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """900 points on the object and 400 on the floor, each seen where it faces the camera and nothing hides it."""
    random = np.random.default_rng(0)
    mesh = object_mesh()
    some = random.choice(len(mesh.vertices), 900, replace=False)
    on, normals = np.asarray(mesh.vertices)[some], np.asarray(mesh.vertex_normals)[some]
    ground = np.column_stack([random.uniform(-1.6, 1.6, (400, 2)), np.full(400, FLOOR)])
    points = np.concatenate([on, ground])
    tracks = []
    for number, (view, mask) in enumerate(zip(shot, truth, strict=True)):
        u, v, depth = view.project(points)
        seen = (depth > 0) & (u >= 1) & (v >= 1) & (u < view.width - 1) & (v < view.height - 1)
        seen[:900] &= ((view.pose[:3, 3] - on) * normals).sum(1) > 0
        rows = np.flatnonzero(seen)
        covered = mask[v[rows].astype(int), u[rows].astype(int)]
        tracks += [(number, row) for row, under in zip(rows, covered, strict=True) if row < 900 or not under]
    return points, np.array(tracks, np.int64)
