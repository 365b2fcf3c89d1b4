"""From the trained field to a clean closed mesh.

Reads `field.pt`, `views/`; writes `surface.npz` (vertices, faces).
"""

import pathlib
from collections.abc import Callable
from functools import partial
from typing import Any

import fast_simplification
import numpy as np
import numpy.typing as npt
import torch
import trimesh
from scipy import ndimage
from skimage import measure

from worker.engines.scene import field, fusion
from worker.engines.scene.field import SmallNerfacto
from worker.engines.scene.presets import Device, Settings
from worker.engines.scene.views import Capture, View
from worker.errors import QualityError

Tick = Callable[[float, str], None]

_NEVER_ZERO = 1e-3
"""Cells. A corner that lies exactly on the surface would make marching cubes touch itself there: no closed mesh."""
_CLEARANCE_CELLS = 1.0
"""What rises less than this above the floor is cut off with it, where no outline tells the floor from the object."""


def choose_views(capture: Capture, count: int) -> list[View]:
    """At most `count` training views, spread out: each next one is the farthest from those chosen."""
    candidates = list(capture.training)
    eyes = np.array([view.pose[:3, 3] for view in candidates])
    eyes = eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
    chosen = [0]
    away = np.linalg.norm(eyes - eyes[0], axis=1)
    while len(chosen) < min(count, len(candidates)):
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(eyes - eyes[chosen[-1]], axis=1))
    return [candidates[index] for index in sorted(chosen)]


def see(model: SmallNerfacto, view: View, capture: Capture, device: Device, between: Callable[[], Any]) -> fusion.Depth:
    """Depth of one view through the field; rays that miss the box, or pass through, see nothing."""
    origin, directions = view.rays()
    lengths = np.linalg.norm(directions, axis=1)
    crossing = _meets_box(origin, directions, capture) & np.isfinite(lengths)
    unit = torch.tensor((directions / lengths[:, None])[crossing], dtype=torch.float32, device=device)
    eye = torch.tensor(origin, dtype=torch.float32, device=device).expand(len(unit), 3)
    depth = torch.full((len(directions),), torch.inf, device=device)
    if len(unit):
        seen = field.look(model, eye, unit, between)
        along = seen["depth"] / torch.tensor(lengths[crossing], dtype=torch.float32, device=device)
        along[seen["accumulation"] < 0.5] = torch.inf
        depth[torch.tensor(crossing, device=device)] = along
    return fusion.Depth(view, depth.reshape(view.height, view.width))


def _meets_box(origin: Any, directions: Any, capture: Capture) -> npt.NDArray[np.bool_]:
    safe = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
    a, b = (capture.low - origin) / safe, (capture.high - origin) / safe
    near, far = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
    return np.asarray((far > near) & (far > 0))


def extract(
    folder: pathlib.Path,
    capture: Capture,
    settings: Settings,
    model: SmallNerfacto,
    device: Device,
    tick: Tick,
    crop: bool = True,
) -> trimesh.Trimesh:
    """The fused surface: its largest part, smoothed; with `crop` without the floor, where there is one.

    Raises:
        QualityError: `no_surface`.
    """
    chosen = choose_views(capture, settings.depth_views)
    depths = []
    for number, view in enumerate(chosen):
        between = partial(tick, 0.6 * number / len(chosen), "rendering depth")
        depths.append(see(model, view.scaled(settings.depth_px), capture, device, between))
    grid = fusion.Grid.over(capture.low, capture.high, settings.grid)
    distance, known = fusion.fuse(grid, depths, device, lambda: tick(0.65, "fusing depth"))
    distance = fusion.fit(grid, distance, capture.points)
    if capture.masks == "none":
        if not crop or capture.floor is None:
            return _polished(_isosurface(grid, distance, known))
        return _polished(_isosurface(grid, _standing(grid, distance, known, capture.floor), None))
    tick(0.8, "cutting along the outlines")
    solid = np.maximum(distance, fusion.hull(folder, capture, grid, settings.photo_px, device))
    if capture.floor is not None:
        # No photo shows the underside: what the outlines allow below the floor is the shadow of the object.
        solid = np.maximum(solid, _under(grid, capture.floor))
    return _polished(_isosurface(grid, _without_cavities(solid), None))


def _standing(
    grid: fusion.Grid, distance: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], floor: float
) -> npt.NDArray[np.float32]:
    """What stands on the floor, as a closed solid: the floor and all below it cut away.

    Free is also what no photo saw if only such cells lie between it and the border: it is not the inside of anything.
    """
    height = grid.low[2] + grid.cell * np.arange(grid.shape[2])
    labels, _ = ndimage.label(~known & (height > floor))
    border = np.zeros_like(known)
    for axis in range(3):
        for end in (0, -1):
            border[(slice(None),) * axis + (end,)] = True
    # A thing that stands on the underside of the box is open there to nothing but the floor.
    border[:, :, 0] = False
    reached = np.unique(labels[border])
    opened = np.where(np.isin(labels, reached[reached > 0]), np.float32(fusion.TRUNCATION_CELLS), distance)
    return _without_cavities(np.maximum(opened, _under(grid, floor + _CLEARANCE_CELLS * grid.cell)))


def _under(grid: fusion.Grid, floor: float) -> npt.NDArray[np.float32]:
    """Signed distance in cells (nz,) to what is above the floor, clipped as in `fuse`."""
    height = grid.low[2] + grid.cell * np.arange(grid.shape[2])
    limit = fusion.TRUNCATION_CELLS
    return np.asarray(((floor - height) / grid.cell).clip(-limit, limit), np.float32)


def _without_cavities(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Fill free cells that no path joins to the outside: no photo can have shown them."""
    labels, _ = ndimage.label(np.pad(distance > 0, 1, constant_values=True))
    enclosed = (labels != labels[0, 0, 0])[1:-1, 1:-1, 1:-1] & (distance > 0)
    return np.where(enclosed, -fusion.TRUNCATION_CELLS, distance)


def _isosurface(grid: fusion.Grid, distance: Any, known: Any | None) -> trimesh.Trimesh:
    # A closed mesh: outside the box nothing is. Without masks the seen cells alone may have a surface.
    closed = known is None
    volume = np.pad(distance, 1, constant_values=fusion.TRUNCATION_CELLS) if closed else distance
    if not volume.min() < 0 < volume.max():
        raise _nothing()
    volume = np.where(np.abs(volume) < _NEVER_ZERO, np.float32(_NEVER_ZERO), volume)
    vertices, faces, _, _ = measure.marching_cubes(volume, 0.0, mask=known)  # type: ignore[no-untyped-call]
    if not len(faces):
        raise _nothing()
    mesh = trimesh.Trimesh((vertices - closed) * grid.cell + grid.low, faces, process=True)
    return _largest(mesh)


def _nothing() -> QualityError:
    return QualityError(
        "no_surface",
        "No solid surface could be recovered from these photos.",
        "Use sharper photos with more overlap; shiny, transparent and single-coloured objects cannot be rebuilt.",
    )


def _largest(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The connected part with the largest area, wound outwards."""
    labels = trimesh.graph.connected_component_labels(  # type: ignore[no-untyped-call]
        mesh.face_adjacency, node_count=len(mesh.faces)
    )
    areas = np.bincount(labels, weights=mesh.area_faces)
    mesh.update_faces(labels == int(np.argmax(areas)))
    mesh.remove_unreferenced_vertices()
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def _polished(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Taubin smoothing: takes the steps of the grid away without shrinking."""
    trimesh.smoothing.filter_taubin(mesh, lamb=0.5, nu=0.53, iterations=12)  # type: ignore[no-untyped-call]
    return mesh


def decimate(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """Quadric decimation to at most `faces` triangles; degenerate ones are removed, gaps closed."""
    points, triangles = np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)
    if len(triangles) > faces:
        points, triangles = fast_simplification.simplify(points, triangles, target_count=faces, agg=4.0)
    small = trimesh.Trimesh(points, triangles, process=True)
    small.update_faces(small.nondegenerate_faces())
    small = _largest(small)
    if not small.is_watertight:
        small = _parted(small)
        trimesh.repair.fill_holes(small)
    return small


def _parted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Part sheets that touch along an edge: decimation now and then leaves one with four triangles.

    Each vertex of such an edge gets a copy for every fan of triangles round it that hangs together by other edges.
    """
    faces = np.array(mesh.faces)
    _, edge_of, shared = np.unique(mesh.edges_sorted, axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(-1, 3)
    crowded = np.unique(mesh.edges_sorted[shared[edge_of.ravel()] > 2])
    copies: list[npt.NDArray[np.float64]] = []
    for vertex in crowded:
        around = np.flatnonzero((mesh.faces == vertex).any(1))
        links = [
            (i, j)
            for i, one in enumerate(around)
            for j in range(i)
            if any(shared[edge] == 2 for edge in np.intersect1d(edge_of[one], edge_of[around[j]]))
        ]
        fans = trimesh.graph.connected_components(links, nodes=np.arange(len(around)), min_len=1)
        for fan in fans[1:]:
            rows = around[fan]
            faces[rows] = np.where(mesh.faces[rows] == vertex, len(mesh.vertices) + len(copies), faces[rows])
            copies.append(mesh.vertices[vertex])
    return trimesh.Trimesh(np.concatenate([mesh.vertices, np.reshape(copies, (-1, 3))]), faces, process=False)


def save(path: pathlib.Path, mesh: trimesh.Trimesh) -> None:
    """Vertices float32, faces int32."""
    np.savez(path, vertices=np.asarray(mesh.vertices, np.float32), faces=np.asarray(mesh.faces, np.int32))


def load(path: pathlib.Path) -> trimesh.Trimesh:
    """What `save` wrote."""
    with np.load(path) as stored:
        return trimesh.Trimesh(stored["vertices"], stored["faces"], process=False)
