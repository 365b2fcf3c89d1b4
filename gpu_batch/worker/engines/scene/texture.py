"""A texture from the photos: UV map, which texel sees which photo, blend, fill.

Reads `surface.npz`, `views/`; writes `textured/`: `mesh.npz` (vertices, faces, uv) and `texture.png`.
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import xatlas
from scipy import ndimage
from scipy.spatial import cKDTree

from worker.engines.scene import photos, views
from worker.engines.scene.rays import Bools, Floats, Ints, Tracer, bilinear
from worker.engines.scene.views import View

_COSINE_POWER = 6
"""A photo that sees a texel square on counts far more than one that grazes it."""
_EDGE_PX = 4.0
"""Within this distance to the outline a photo's pixels mix with the background: they count less."""
_PADDING = 4


@dataclass(frozen=True)
class Textured:
    """A mesh with its UV map: vertices (V, 3), faces (F, 3), uv (V, 2) with v upwards, texture (T, T, 3)."""

    vertices: Floats
    faces: Ints
    uv: Floats
    texture: npt.NDArray[np.uint8]


@dataclass
class Texels:
    """The texels that lie on the mesh: where (row, column), position, normal, and the colours summed so far."""

    size: int
    rows: Ints
    columns: Ints
    points: Floats
    normals: Floats
    colour: Floats
    weight: Floats


def unwrap(vertices: Floats, faces: Ints, size: int) -> tuple[Floats, Ints, Floats]:
    """Cut and flatten the mesh: vertices, faces and uv (V, 2) in 0..1, charts apart by a few texels."""
    atlas = xatlas.Atlas()
    atlas.add_mesh(np.asarray(vertices, np.float32), np.asarray(faces, np.uint32), _normals(vertices, faces))
    chart = xatlas.ChartOptions()
    chart.max_iterations = 1
    pack = xatlas.PackOptions()
    pack.resolution = size
    pack.padding = _PADDING
    pack.bilinear = True
    pack.create_image = False
    atlas.generate(chart_options=chart, pack_options=pack)
    mapping, corners, uv = atlas[0]
    return np.asarray(vertices[mapping], np.float32), np.asarray(corners, np.int32), np.asarray(uv, np.float32)


def _normals(vertices: Floats, faces: Ints) -> Floats:
    """Area-weighted unit normals of the vertices."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices, dtype=np.float64)
    for k in range(3):
        np.add.at(total, faces[:, k], across)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12), np.float32)


def lay_out(vertices: Floats, faces: Ints, uv: Floats, size: int) -> Texels:
    """Find the surface point of every covered texel, by looking straight down on the flattened mesh."""
    flat = np.column_stack([uv * size, np.zeros(len(uv))])
    row, column = np.mgrid[0:size, 0:size].reshape(2, -1).astype(np.int32)
    above = np.column_stack([column + 0.5, size - row - 0.5, np.ones(size * size)])
    face, weights, _ = Tracer(flat, faces).hit(above, np.broadcast_to([0.0, 0.0, -1.0], above.shape))
    on = face >= 0
    corners = faces[face[on]]
    points = np.einsum("nk,nkd->nd", weights[on], vertices[corners]).astype(np.float32)
    normals = np.einsum("nk,nkd->nd", weights[on], normals_by_position(vertices, faces)[corners]).astype(np.float32)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    count = int(on.sum())
    return Texels(
        size, row[on], column[on], points, normals, np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    )


def normals_by_position(vertices: Floats, faces: Ints) -> Floats:
    """Vertex normals that ignore the cuts of the UV map: vertices at one place share theirs."""
    _, position_of = np.unique(vertices, axis=0, return_inverse=True)
    position_of = position_of.reshape(-1)
    first = np.zeros((int(position_of.max()) + 1, 3), np.float32)
    first[position_of] = vertices
    return _normals(first, position_of[faces].astype(np.int32))[position_of]


def add_photos(
    folder: pathlib.Path,
    texels: Texels,
    tracer: Tracer,
    shots: Sequence[View],
    masked: bool,
    tick: Callable[[float], None],
) -> None:
    """Add each photo's colours to the texels that it sees, weighted by how squarely it sees them."""
    reach = float(np.ptp(texels.points, axis=0).max())
    for number, view in enumerate(shots):
        tick(number / len(shots))
        _add_photo(folder, texels, tracer, view, masked, 1e-3 * reach)


def _add_photo(folder: pathlib.Path, texels: Texels, tracer: Tracer, view: View, masked: bool, lift: float) -> None:
    towards = view.pose[:3, 3].astype(np.float32) - texels.points
    cosine = np.einsum("nd,nd->n", towards, texels.normals) / np.linalg.norm(towards, axis=1)
    u, v, depth = view.project(texels.points.astype(np.float64))
    facing = (cosine > 0.1) & (depth > 0) & (u > 1) & (v > 1) & (u < view.width - 1) & (v < view.height - 1)
    candidates = np.flatnonzero(facing)
    # Start off the surface along its normal, or the texel's own triangle would hide it.
    start = texels.points[candidates] + lift * texels.normals[candidates]
    seen = candidates[~tracer.blocked(start, towards[candidates])]
    rgba = views.image(folder, view)
    trust = cosine[seen] ** _COSINE_POWER
    if masked:
        inner = cv2.distanceTransform((rgba[..., 3] > 127).astype(np.uint8), cv2.DIST_L2, 5).astype(np.float32)
        sharp = np.clip(bilinear(inner[..., None], u[seen] - 0.5, v[seen] - 0.5)[:, 0] / _EDGE_PX, 0, 1)
        trust = trust * sharp**2
    texels.colour[seen] += trust[:, None] * bilinear(rgba[..., :3], u[seen] - 0.5, v[seen] - 0.5)
    texels.weight[seen] += trust


def paint(texels: Texels) -> tuple[photos.Image, float]:
    """The texture (T, T, 3) and the share of texels that a photo saw.

    Unseen texels take the mean colour of the nearest seen ones in space; gaps between charts repeat the chart's rim.
    """
    seen = texels.weight > 1e-4
    if not seen.any():
        return np.full((texels.size, texels.size, 3), 128, np.uint8), 0.0
    colour = texels.colour / np.maximum(texels.weight, 1e-9)[:, None]
    if not seen.all():
        near, which = cKDTree(texels.points[seen]).query(texels.points[~seen], k=min(12, int(seen.sum())))
        near, which = near.reshape(len(near), -1), which.reshape(len(which), -1)
        share = 1 / np.maximum(near, 1e-6)
        share /= share.sum(1, keepdims=True)
        colour[~seen] = np.einsum("nk,nkd->nd", share, colour[seen][which])
    picture = np.zeros((texels.size, texels.size, 3), np.float32)
    empty: Bools = np.ones((texels.size, texels.size), bool)
    picture[texels.rows, texels.columns] = colour
    empty[texels.rows, texels.columns] = False
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    return np.asarray(np.clip(picture[tuple(nearest)] + 0.5, 0, 255), np.uint8), float(seen.mean())


def save(folder: pathlib.Path, textured: Textured) -> None:
    """Write `textured/`."""
    (folder / "textured").mkdir(exist_ok=True)
    photos.write(folder / "textured" / "texture.png", textured.texture)
    np.savez(folder / "textured" / "mesh.npz", vertices=textured.vertices, faces=textured.faces, uv=textured.uv)


def load(folder: pathlib.Path) -> Textured:
    """What `save` wrote."""
    texture = photos.read(folder / "textured" / "texture.png")[..., :3]
    with np.load(folder / "textured" / "mesh.npz") as stored:
        return Textured(stored["vertices"], stored["faces"], stored["uv"], np.ascontiguousarray(texture))
