"""From a pycolmap model to the normalised frame: upright, centred, the object filling a box of side two.

Reads `photos/` and `masks/`, writes `views/`.
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from snapforge.contracts.manifest import Photo
from worker.engines.scene import exposure, photos, views
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.masks import Kind, Mask, sparse
from worker.engines.scene.poses import Model
from worker.engines.scene.views import Array, Capture, View
from worker.errors import InputError

_CARVE = 72
_MARGIN = 0.06
_MAX_LEAN = 40.0
"""Degrees between the floor's normal and the cameras' up: farther off, the plane is a wall or the cameras lay."""


def build(
    folder: pathlib.Path,
    model: Model,
    given: Sequence[Photo],
    paths: Sequence[pathlib.Path],
    masks: Sequence[Mask | None],
    kind: Kind,
    longest: int,
    tick: Callable[[float], None],
    keep_floor: bool = False,
) -> Capture:
    """Undistort the registered photos, bring everything into the normalised frame and write it down.

    Raises:
        InputError: `object_not_found` where the masks of the photos have no common part.
    """
    (folder / "views").mkdir(exist_ok=True)
    reconstruction = model.reconstruction
    by_name = {path.name: index for index, path in enumerate(paths)}
    images = sorted((reconstruction.images[i] for i in reconstruction.reg_image_ids()), key=lambda image: image.name)
    posed, alphas = [], []
    for number, image in enumerate(images):
        index = by_name[image.name]
        pixels = photos.read(paths[index])
        mask = masks[index]
        pixels[..., 3] = 255 if mask is None else mask
        flat, focal, centre = _undistort(pixels, reconstruction.cameras[image.camera_id], longest)
        photos.write(folder / "views" / f"{index:03d}.png", flat)
        alphas.append(flat[..., 3])
        size = (flat.shape[1], flat.shape[0])
        posed.append(
            View(index, given[index].name, _pose(image), focal, centre, *size, _is_held_out(number, len(images)))
        )
        tick(0.8 * (number + 1) / len(images))
    points, tracks, others = _points(reconstruction, images, posed, alphas, kind)
    turn, floor = _upright(posed, points if kind == "none" else others)
    posed, points = [_moved(view, turn, np.zeros(3), 1.0) for view in posed], points @ turn.T
    if kind != "none":
        low, high = _carved(posed, alphas, points)
        if floor is not None and low[2] < floor < high[2]:
            low[2] = floor
    else:
        low, high = _sparse_box(posed, points, floor, keep_floor)
    centre_, scale = (low + high) / 2, 2.0 / float((high - low).max())
    capture = Capture(
        tuple(_moved(view, np.eye(3), centre_, scale) for view in posed),
        (low - centre_) * scale,
        (high - centre_) * scale,
        kind,
        (points - centre_) * scale,
        tracks,
        float(reconstruction.compute_mean_reprojection_error()),
        model.method,
        None if floor is None else float((floor - centre_[2]) * scale),
    )
    capture = replace(capture, views=exposure.evened(folder, capture))
    views.save(folder, capture)
    return capture


def _is_held_out(number: int, count: int) -> bool:
    """One view in eight, away from the ends of the walk; none of fewer than ten."""
    return count >= 10 and number % 8 == 4


def _pose(image: pycolmap.Image) -> Array:
    pose = np.eye(4)
    pose[:3] = image.cam_from_world().inverse().matrix()
    return pose


def _undistort(
    pixels: photos.Image, camera: pycolmap.Camera, longest: int
) -> tuple[photos.Image, tuple[float, float], tuple[float, float]]:
    """Pinhole pixels at most `longest`, focal lengths and principal point (pixels)."""
    height, width = pixels.shape[:2]
    f, cx, cy, k = camera.params
    matrix = np.array([[f, 0, cx - 0.5], [0, f, cy - 0.5], [0, 0, 1]])
    corner = np.hypot(width, height) / 2 / f
    if abs(k) * corner**3 * f > 0.2:
        maps = cv2.initUndistortRectifyMap(
            matrix, np.array([k, 0, 0, 0]), np.eye(3), matrix, (width, height), cv2.CV_32FC1
        )
        pixels = np.asarray(
            cv2.remap(pixels, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    small = photos.shrink(pixels, longest)
    sx, sy = small.shape[1] / width, small.shape[0] / height
    return small, (f * sx, f * sy), (cx * sx, cy * sy)


def _points(
    reconstruction: pycolmap.Reconstruction,
    images: list[pycolmap.Image],
    posed: list[View],
    alphas: list[Mask],
    kind: Kind,
) -> tuple[Array, npt.NDArray[np.int64], Array]:
    """Sparse points (N, 3) seen at least three times, with masks inside nearly all of them, and who saw which.

    The second array (T, 2) holds pairs of a view's position in `posed` and a point's row, the third the points (M, 3)
    that masks left out.
    """
    kept = {i: p.xyz for i, p in reconstruction.points3D.items() if p.track.length() >= 3 and p.error < 2}
    points = np.array(list(kept.values()), np.float64).reshape(-1, 3)
    good = np.ones(len(points), bool)
    if kind != "none" and len(points):
        outside = sum(_outside(view, alpha, points).astype(int) for view, alpha in zip(posed, alphas, strict=True))
        good = np.asarray(outside <= max(1, len(posed) // 10))
    rows = np.cumsum(good) - 1
    row_of = {i: int(rows[k]) for k, i in enumerate(kept) if good[k]}
    tracks = [
        (number, row_of[spot.point3D_id])
        for number, image in enumerate(images)
        for spot in image.points2D
        if spot.has_point3D() and spot.point3D_id in row_of
    ]
    return points[good], np.array(tracks, np.int64).reshape(-1, 2), points[~good]


def _outside(view: View, alpha: Mask, points: Array) -> npt.NDArray[np.bool_]:
    inside = _framed(view, points)
    u, v, _ = view.project(points)
    result = np.zeros(len(points), bool)
    result[inside] = alpha[v[inside].astype(int), u[inside].astype(int)] < 128
    return result


def _framed(view: View, points: Array) -> npt.NDArray[np.bool_]:
    u, v, depth = view.project(points)
    return np.asarray((depth > 0) & (u >= 0) & (v >= 0) & (u < view.width) & (v < view.height))


def _upright(posed: list[View], points: Array) -> tuple[Array, float | None]:
    """The rotation that brings up to +z, and how high the floor lies after it, where `points` (N, 3) show one.

    Up is the floor's normal, or without a floor the mean of the cameras' up: people hold cameras about level.
    """
    eyes = np.array([view.pose[:3, 3] for view in posed])
    focus, reach = _focus(posed)
    near = points[np.linalg.norm(points - focus, axis=1) < 0.75 * reach]
    floor = sparse.find_floor(near, focus, eyes)
    up = -np.mean([view.pose[:3, 1] for view in posed], axis=0)
    known = float(np.linalg.norm(up)) >= 0.2
    if floor is not None and known and floor.normal @ up < np.cos(np.radians(_MAX_LEAN)) * np.linalg.norm(up):
        floor = None
    if floor is not None:
        up = floor.normal
    elif not known:
        return np.eye(3), None
    z = up / np.linalg.norm(up)
    helper = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z]), None if floor is None else floor.height


def _moved(view: View, turn: Array, centre: Array, scale: float) -> View:
    pose = view.pose.copy()
    pose[:3, :3] = turn @ pose[:3, :3]
    pose[:3, 3] = (turn @ pose[:3, 3] - centre) * scale
    return replace(view, pose=pose)


def _carved(posed: list[View], alphas: list[Mask], points: Array) -> tuple[Array, Array]:
    """The box of what all silhouettes allow, carved out of a generous box round the sparse points."""
    low, high = np.percentile(points, [1, 99], axis=0) if len(points) >= 8 else _sight_box(posed)
    allowed = max(1, len(posed) // 20)
    for grow in (0.5, 0.12):
        reach = (high - low).max()
        low, high = low - grow * reach, high + grow * reach
        steps = np.linspace(0, 1, _CARVE)
        cells = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3) * (high - low) + low
        outside = sum(_outside(view, alpha, cells).astype(np.int16) for view, alpha in zip(posed, alphas, strict=True))
        framed = sum(_framed(view, cells).astype(np.int16) for view in posed)
        kept = cells[(outside <= allowed) & (framed >= 0.5 * len(posed))]
        if len(kept) < 20:
            raise InputError(
                "object_not_found",
                "The outlines of the object in the photos do not agree with each other.",
                "Keep the object whole in every photo, in front of one plain background, and do not move it.",
            )
        cell = (high - low) / (_CARVE - 1)
        low, high = kept.min(0) - cell, kept.max(0) + cell
    margin = _MARGIN * (high - low).max()
    return low - margin, high + margin


def _sight_box(posed: list[View]) -> tuple[Array, Array]:
    focus, reach = _focus(posed)
    return focus - reach / 3, focus + reach / 3


def _focus(posed: list[View]) -> tuple[Array, float]:
    """The point nearest to all optical axes, and the distance of the nearest camera to it."""
    eyes = np.array([view.pose[:3, 3] for view in posed])
    axes = np.array([view.pose[:3, 2] for view in posed])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    focus = np.linalg.lstsq(across.sum(0), (across @ eyes[:, :, None]).sum(0)[:, 0], rcond=None)[0]
    return focus, float(np.linalg.norm(eyes - focus, axis=1).min())


def _sparse_box(posed: list[View], points: Array, floor: float | None, keep_floor: bool) -> tuple[Array, Array]:
    """Without masks: the box of the piece of the sparse cloud that the cameras look at, down to the floor."""
    focus, reach = _focus(posed)
    eyes = np.array([view.pose[:3, 3] for view in posed])
    found, _ = sparse.on_object(points, focus, reach, eyes)
    if found.sum() < 50:
        return focus - 0.5 * reach, focus + 0.5 * reach
    low, high = np.percentile(points[found], [0.5, 99.5], axis=0)
    margin = 0.1 * (high - low).max()
    low, high = low - margin, high + margin
    if floor is not None and floor < high[2]:
        low[2] = floor - (margin if keep_floor else 0.0)
    return low, high
