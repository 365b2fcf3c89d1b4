"""The photographer: cameras on a rising spiral, soft daylight, JPEGs with the EXIF a phone would write.

Or a camera on a tripod before a turntable (background `still`): seen from the object, the camera walks round it, but
the room behind it never changes.
"""

import json
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import trimesh
from PIL import Image

from infrastructure.local.demo.render.noise import Floats, fractal
from infrastructure.local.demo.render.paint import colours
from infrastructure.local.demo.render.rays import Tracer
from infrastructure.local.demo.render.shape import object_mesh

Background = Literal["plain", "alpha", "textured", "still"]

_CENTRE = np.array([0.03, 0.0, 0.6], np.float32)
_DISTANCE = 3.1
_FOCAL_PER_WIDTH = 1.4
_SUN = np.array([0.45, -0.5, 0.74], np.float32) / np.linalg.norm([0.45, -0.5, 0.74])
_SUPERSAMPLE = 2
_FLOOR = -0.02
_ROOM = 9.0


@dataclass(frozen=True)
class Camera:
    """A pinhole: world from camera (4, 4), camera axes right, down, forward; focal length in pixels."""

    pose: npt.NDArray[np.float64]
    focal: float
    width: int
    height: int


def cameras(count: int, size: tuple[int, int], seed: int) -> list[Camera]:
    """Cameras as somebody walks round the object: three turns, rising from knee to overhead, a little unsteady."""
    random = np.random.default_rng(seed)
    turns = max(1.0, min(3.0, count / 10))
    made = []
    for index in range(count):
        share = index / max(1, count - 1)
        azimuth = 2 * np.pi * turns * share + random.normal(0, 0.03)
        elevation = np.radians(4 + 58 * share**1.15) + random.normal(0, 0.025)
        away = _DISTANCE * (1 + random.normal(0, 0.02))
        direction = np.array(
            [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        )
        target = _CENTRE + random.normal(0, 0.02, 3)
        made.append(
            Camera(_look(target + away * direction, target, random.normal(0, 0.02)), _FOCAL_PER_WIDTH * size[0], *size)
        )
    return made


def turntable(count: int, size: tuple[int, int]) -> list[Camera]:
    """Where a camera on a tripod stands, as the object on its turntable sees it: level turns from two heights."""
    made = []
    for index in range(count):
        turn, azimuth = divmod(2 * index / count, 1)
        elevation, angle = np.radians(12 + 28 * turn), 2 * np.pi * azimuth
        direction = np.array([np.cos(angle) * np.cos(elevation), np.sin(angle) * np.cos(elevation), np.sin(elevation)])
        made.append(Camera(_look(_CENTRE + _DISTANCE * direction, _CENTRE, 0.0), _FOCAL_PER_WIDTH * size[0], *size))
    return made


def _look(eye: npt.NDArray[np.float64], target: npt.NDArray[np.float64], roll: float) -> npt.NDArray[np.float64]:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    pose[:3, 1] = -np.sin(roll) * right + np.cos(roll) * down
    pose[:3, 2], pose[:3, 3] = forward, eye
    return pose


@cache
def _lit() -> tuple[trimesh.Trimesh, Tracer, Floats, Floats]:
    """The mesh, its tracer, smooth normals and the light that reaches each vertex."""
    mesh = object_mesh()
    tracer = Tracer(mesh)
    normals = np.asarray(mesh.vertex_normals, np.float32)
    points = np.asarray(mesh.vertices, np.float32) + 0.004 * normals
    return mesh, tracer, normals, _light(tracer, points, normals)


def _light(tracer: Tracer, points: Floats, normals: Floats) -> Floats:
    random = np.random.default_rng(7)
    sky = np.zeros(len(points), np.float32)
    sun = np.zeros(len(points), np.float32)
    rays = 24
    for _ in range(rays):
        spread = normals + _unit(random.normal(size=normals.shape))
        spread = _unit(spread)
        sky += ~tracer.blocked(points, spread) * (0.6 + 0.4 * spread[:, 2])
        towards = _unit(_SUN + 0.12 * random.normal(size=3))
        sun += ~tracer.blocked(points, np.broadcast_to(towards, points.shape)) * np.clip(normals @ towards, 0, None)
    return np.asarray(0.72 * sky / rays + 0.62 * sun / rays + 0.06, dtype=np.float32)


def _unit(vectors: npt.NDArray[np.floating]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def _window(camera: Camera, scale: int) -> tuple[slice, slice]:
    """Rows and columns of the supersampled picture that can show the object."""
    low, high = object_mesh().bounds
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    local = (corners - camera.pose[:3, 3]) @ camera.pose[:3, :3]
    u = (camera.focal * local[:, 0] / local[:, 2] + camera.width / 2) * scale
    v = (camera.focal * local[:, 1] / local[:, 2] + camera.height / 2) * scale
    columns = slice(max(0, int(u.min()) - 1), min(camera.width * scale, int(u.max()) + 2))
    rows = slice(max(0, int(v.min()) - 1), min(camera.height * scale, int(v.max()) + 2))
    return rows, columns


def _directions(camera: Camera, rows: slice, columns: slice, scale: int) -> Floats:
    v, u = np.mgrid[rows, columns]
    x = ((u.ravel() + 0.5) / scale - camera.width / 2) / camera.focal
    y = ((v.ravel() + 0.5) / scale - camera.height / 2) / camera.focal
    return np.asarray(np.stack([x, y, np.ones_like(x)], 1) @ camera.pose[:3, :3].T, dtype=np.float32)


def picture(camera: Camera, background: Background, seed: int) -> npt.NDArray[np.uint8]:
    """One photo: (height, width, 3), or 4 channels with straight alpha for `alpha`."""
    mesh, tracer, _, light = _lit()
    scale = _SUPERSAMPLE
    shape = (camera.height * scale, camera.width * scale)
    rows, columns = _window(camera, scale)
    rays = _directions(camera, rows, columns, scale)
    origin = np.asarray(camera.pose[:3, 3], np.float32)
    face, weights, _ = tracer.hit(np.broadcast_to(origin, rays.shape), rays)
    seen = face >= 0
    corners = np.asarray(mesh.faces)[face[seen]]
    points = np.einsum("nk,nkd->nd", weights[seen], np.asarray(mesh.vertices, np.float32)[corners])
    shade = np.einsum("nk,nk->n", weights[seen], light[corners])
    window = np.zeros((len(rays), 4), np.float32)
    window[seen, :3] = np.clip(colours(points) * shade[:, None], 0, 1)
    window[seen, 3] = 1
    layer = np.zeros((*shape, 4), np.float32)
    layer[rows, columns] = window.reshape(rows.stop - rows.start, columns.stop - columns.start, 4)
    small = layer.reshape(camera.height, scale, camera.width, scale, 4).mean((1, 3))
    alpha = small[..., 3:]
    if background == "alpha":
        straight = small[..., :3] / np.maximum(alpha, 1e-4)
        return np.asarray(np.clip(np.concatenate([straight, alpha], 2) * 255 + 0.5, 0, 255), np.uint8)
    match background:
        case "plain":
            behind = _plain(camera)
        case "textured":
            behind = _room(camera)
        case "still":
            behind = _room(turntable(1, (camera.width, camera.height))[0])
    whole = small[..., :3] + (1 - alpha) * behind
    grain = np.random.default_rng(seed).normal(0, 0.004, whole.shape)
    return np.asarray(np.clip((whole + grain) * 255 + 0.5, 0, 255), np.uint8)


def _plain(camera: Camera) -> Floats:
    """A sheet of warm grey paper: brighter above, a little darker to the corners."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width]
    across, down = x / camera.width - 0.5, y / camera.height - 0.5
    level = 0.86 - 0.07 * down - 0.10 * (across**2 + down**2)
    return np.asarray(level[..., None] * np.array([1.0, 0.985, 0.96]), dtype=np.float32)


def _room(camera: Camera) -> Floats:
    """A patterned floor and a patterned wall all round."""
    rays = _directions(camera, slice(0, camera.height), slice(0, camera.width), 1)
    origin = np.asarray(camera.pose[:3, 3], np.float32)
    down = np.minimum(rays[:, 2], -1e-4)
    floor = origin + rays * ((_FLOOR - origin[2]) / down)[:, None]
    unit = _unit(rays)
    along = unit @ origin
    wall = origin + unit * (-along + np.sqrt(along**2 + _ROOM**2 - origin @ origin))[:, None]
    on_floor = (rays[:, 2] < -1e-4) & (np.linalg.norm(floor[:, :2], axis=1) < 4)
    where = np.where(on_floor[:, None], floor, wall).astype(np.float32)
    value = fractal(where, 3.0, 5, seed=90)[:, None]
    tint = fractal(where, 1.1, 2, seed=97)[:, None]
    colour = np.where(on_floor[:, None], (0.62, 0.47, 0.33), (0.55, 0.6, 0.62)) * (0.35 + 1.1 * value)
    colour = colour * (0.8 + 0.5 * tint) * np.where(value > 0.58, 0.6, 1.0)
    return np.asarray(np.clip(colour, 0, 1).reshape(camera.height, camera.width, 3), dtype=np.float32)


def _exif(camera: Camera) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Snapforge", "Demo camera"
    inner = exif.get_ifd(0x8769)
    equivalent = camera.focal / max(camera.width, camera.height) * 36
    inner[0xA405] = round(equivalent)
    inner[0x920A] = equivalent / 6
    return exif


def render_photos(
    folder: pathlib.Path,
    count: int = 32,
    size: tuple[int, int] = (640, 480),
    seed: int = 0,
    background: Background = "plain",
    progress: Callable[[int, int], None] | None = None,
) -> list[pathlib.Path]:
    """Write `count` photos of `size` (width, height) into `folder`; the truth goes to the sibling `<folder>-truth`.

    JPEG with EXIF focal length; PNG with alpha for `alpha`. The truth is `mesh.ply` and `cameras.json`
    (focal length in pixels and world-from-camera matrix for each photo). Same arguments, same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder.parent / f"{folder.name}-truth"
    truth.mkdir(parents=True, exist_ok=True)
    object_mesh().export(truth / "mesh.ply")
    written, record = [], {}
    stands = turntable(count, size) if background == "still" else cameras(count, size, seed)
    for index, camera in enumerate(stands):
        image = Image.fromarray(picture(camera, background, seed * 1000 + index))
        path = folder / f"photo-{index:03d}.{'png' if background == 'alpha' else 'jpg'}"
        if background == "alpha":
            image.save(path, compress_level=3)
        else:
            image.save(path, quality=94, subsampling=0, exif=_exif(camera))
        written.append(path)
        record[path.name] = {"focal": camera.focal, "pose": camera.pose.tolist()}
        if progress is not None:
            progress(index + 1, count)
    (truth / "cameras.json").write_text(json.dumps(record))
    return written
