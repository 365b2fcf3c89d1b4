"""Posed pinhole photos in the normalised frame: what every stage after `poses` works on.

All in `views/`: `views/views.json` and `<index>.png` (RGBA, undistorted, alpha = object or opaque).
"""

import json
import pathlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worker.engines.scene import photos
from worker.engines.scene.masks import Kind

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """One registered photo without distortion."""

    index: int
    """Number of the photo in the manifest."""
    name: str
    pose: Array
    """World from camera (4, 4)."""
    focal: tuple[float, float]
    centre: tuple[float, float]
    """Principal point in pixels; a pixel's middle lies at +0.5."""
    width: int
    height: int
    held_out: bool
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """What its red, green and blue are multiplied by to be in the light of all (`exposure`)."""

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Columns, rows (pixels) and depth (N,) of world points (N, 3)."""
        local = (points - self.pose[:3, 3]) @ self.pose[:3, :3]
        depth = local[:, 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        u = self.focal[0] * local[:, 0] / safe + self.centre[0]
        v = self.focal[1] * local[:, 1] / safe + self.centre[1]
        return u, v, depth

    def scaled(self, longest: int) -> "View":
        """The same view with its longer side at most `longest`."""
        factor = min(1.0, longest / max(self.width, self.height))
        width, height = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            focal=(self.focal[0] * sx, self.focal[1] * sy),
            centre=(self.centre[0] * sx, self.centre[1] * sy),
            width=width,
            height=height,
        )

    def rays(self) -> tuple[Array, Array]:
        """Origin (3,) and directions (H*W, 3) of unit depth along the camera's axis, row by row."""
        v, u = np.mgrid[0 : self.height, 0 : self.width]
        x = (u.ravel() + 0.5 - self.centre[0]) / self.focal[0]
        y = (v.ravel() + 0.5 - self.centre[1]) / self.focal[1]
        return self.pose[:3, 3], np.stack([x, y, np.ones_like(x)], 1) @ self.pose[:3, :3].T


@dataclass(frozen=True)
class Capture:
    """All views, the box that holds the object, and where the poses came from."""

    views: tuple[View, ...]
    low: Array
    high: Array
    masks: Kind
    points: Array
    """Sparse points (N, 3): with masks on the object, without them of all the photos show."""
    tracks: npt.NDArray[np.int64]
    """Sightings (T, 2): the position of a view in `views`, and the row of the point that it saw."""
    reprojection_px: float
    method: str
    floor: float | None = None
    """Height of the plane that the object stands on, where the sparse points show one."""

    @property
    def training(self) -> tuple[View, ...]:
        return tuple(view for view in self.views if not view.held_out)

    @property
    def held_out(self) -> tuple[View, ...]:
        return tuple(view for view in self.views if view.held_out)

    @property
    def diagonal(self) -> float:
        return float(np.linalg.norm(self.high - self.low))


def image(folder: pathlib.Path, view: View) -> photos.Image:
    """Pixels (H, W, 4) of the view at its own size, its colours in the light of all views."""
    whole = photos.read(folder / "views" / f"{view.index:03d}.png")
    small = photos.shrink(whole, max(view.width, view.height))
    for channel, gain in enumerate(view.gain):
        if gain != 1:
            table = np.clip(np.arange(256) * gain + 0.5, 0, 255).astype(np.uint8)
            small[..., channel] = table[small[..., channel]]
    return small


def save(folder: pathlib.Path, capture: Capture) -> None:
    """Write `views/views.json`; the pictures are written by `normalise`."""
    record = {
        "views": [
            {
                "index": view.index,
                "name": view.name,
                "pose": view.pose.tolist(),
                "focal": view.focal,
                "centre": view.centre,
                "width": view.width,
                "height": view.height,
                "held_out": view.held_out,
                "gain": view.gain,
            }
            for view in capture.views
        ],
        "low": capture.low.tolist(),
        "high": capture.high.tolist(),
        "masks": capture.masks,
        "reprojection_px": capture.reprojection_px,
        "method": capture.method,
        "floor": capture.floor,
    }
    np.savez(folder / "views" / "points.npz", points=capture.points.astype(np.float32), tracks=capture.tracks)
    (folder / "views" / "views.json").write_text(json.dumps(record))


def load(folder: pathlib.Path) -> Capture:
    """Read `views/views.json`."""
    record = json.loads((folder / "views" / "views.json").read_text())
    with np.load(folder / "views" / "points.npz") as stored:
        points, tracks = stored["points"].astype(np.float64), stored["tracks"]
    views = tuple(
        View(
            row["index"],
            row["name"],
            np.array(row["pose"]),
            (row["focal"][0], row["focal"][1]),
            (row["centre"][0], row["centre"][1]),
            row["width"],
            row["height"],
            row["held_out"],
            tuple(row.get("gain", (1.0, 1.0, 1.0))),
        )
        for row in record["views"]
    )
    return Capture(
        views,
        np.array(record["low"]),
        np.array(record["high"]),
        record["masks"],
        points,
        tracks,
        record["reprojection_px"],
        record["method"],
        record.get("floor"),
    )


def front(capture: Capture) -> float:
    """Azimuth in degrees, round z from x, of the side that the first photo shows."""
    first = capture.views[0].pose[:3, 3]
    return float(np.degrees(np.arctan2(first[1], first[0])))
