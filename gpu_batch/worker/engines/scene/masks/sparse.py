"""Which sparse points lie on the object: above the floor that it stands on, in one piece, where the cameras look."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_TRIES = 400
MIN_POINTS = 60
_GAP = 0.2
"""Share of the object's size: pieces nearer than this are one object."""


@dataclass(frozen=True)
class Plane:
    """A floor: points p with normal · p = height; the normal points to the cameras' side."""

    normal: Array
    height: float
    thickness: float

    def above(self, points: Array) -> Array:
        """Signed distance (N,) of points (N, 3)."""
        return np.asarray(points @ self.normal - self.height)


def sight(eyes: Array, axes: Array) -> tuple[Array, float]:
    """The point (3,) nearest to all optical axes (V, 3), and how near the nearest of the cameras at `eyes` is to it."""
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    focus = np.linalg.lstsq(across.sum(0), (across @ eyes[:, :, None]).sum(0)[:, 0], rcond=None)[0]
    return focus, float(np.linalg.norm(eyes - focus, axis=1).min())


def on_object(points: Array, focus: Array, reach: float, eyes: Array) -> tuple[Bools, Plane | None]:
    """Which of the sparse points (N, 3) are the object's, and the floor that it stands on, if there is one.

    `focus` is the point that the cameras at `eyes` (V, 3) look at, `reach` how near the nearest of them is to it.
    """
    near = np.linalg.norm(points - focus, axis=1) < 0.75 * reach
    floor = find_floor(points[near], focus, eyes)
    candidates = near if floor is None else near & (floor.above(points) > 1.5 * floor.thickness)
    rows = np.flatnonzero(candidates)
    found = np.zeros(len(points), bool)
    if len(rows) >= MIN_POINTS:
        found[rows[_piece(points[rows], focus)]] = True
    return found, floor


def find_floor(points: Array, focus: Array, eyes: Array, seed: int = 0) -> Plane | None:
    """A plane under the focus that holds a good part of the points, with hardly any below it; None where there is none.

    The cameras are all above a floor: that tells it from a table's edge or a wall.
    """
    if len(points) < MIN_POINTS:
        return None
    random = np.random.default_rng(seed)
    size = float(np.ptp(np.percentile(points, [5, 95], axis=0), axis=0).max())
    thick = 0.012 * size
    # RANSAC (Fischler and Bolles 1981) on three points at a time, all tries at once.
    picks = points[random.integers(0, len(points), (_TRIES, 3))]
    normals = np.cross(picks[:, 1] - picks[:, 0], picks[:, 2] - picks[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    good = lengths > 1e-9
    normals = normals[good] / lengths[good, None]
    heights = np.einsum("nd,nd->n", normals, picks[good, 0])
    # Turn each normal to the cameras' side.
    side = np.sign(np.median(eyes @ normals.T - heights, axis=0))
    normals, heights = normals * side[:, None], heights * side
    above = points @ normals.T - heights
    within, below = (np.abs(above) < thick).mean(0), (above < -2 * thick).mean(0)
    clear = (eyes @ normals.T - heights > 0).mean(0)
    right = (within > 0.12) & (below < 0.15 * within) & (clear > 0.97) & (focus @ normals.T - heights > -thick)
    if not right.any():
        return None
    best = int(np.argmax(np.where(right, within, 0)))
    return _fitted(points, np.abs(above[:, best]) < thick, normals[best])


def _fitted(points: Array, on: Bools, towards: Array) -> Plane:
    """The plane through the points that are `on`, by least squares."""
    middle = points[on].mean(0)
    normal = np.linalg.svd(points[on] - middle, full_matrices=False)[2][2]
    normal = normal * np.sign(normal @ towards)
    height = float(middle @ normal)
    away = np.abs(points[on] @ normal - height)
    return Plane(normal, height, max(2.5 * float(np.median(away)), 1e-6))


def _piece(points: Array, focus: Array) -> npt.NDArray[np.int64]:
    """Rows of the points in one piece near the focus: points are joined to their neighbours, and a piece counts by its
    number of points, less the farther away it is."""
    tree = cKDTree(points)
    near, which = tree.query(points, k=min(7, len(points)))
    typical = float(np.median(near[:, -1]))
    joined = near[:, 1:] < 3.0 * typical
    rows, columns = np.nonzero(joined)
    graph = csr_array((np.ones(len(rows)), (rows, which[rows, columns + 1])), shape=(len(points), len(points)))
    count, labels = connected_components(graph, directed=False)
    away = np.linalg.norm(points - focus, axis=1)
    spread = float(np.median(away)) + 1e-9
    score = np.bincount(labels, weights=np.exp(-((away / spread) ** 2)), minlength=count)
    return np.flatnonzero(_with_neighbours(points, labels, labels == int(np.argmax(score))))


def _with_neighbours(points: Array, labels: npt.NDArray[np.int32], main: Bools) -> Bools:
    """The main piece and those a small gap away from it: weak texture tears pieces apart."""
    sizes = np.bincount(labels)
    unattached = [piece for piece in np.unique(labels[~main]) if sizes[piece] >= max(5, 0.01 * main.sum())]
    grown = True
    while grown:
        grown = False
        tree = cKDTree(points[main])
        low, high = np.percentile(points[main], [2, 98], axis=0)
        gap = _GAP * float((high - low).max())
        for piece in list(unattached):
            if float(np.median(np.sort(tree.query(points[labels == piece])[0])[:10])) < gap:
                main = main | (labels == piece)
                unattached.remove(piece)
                grown = True
    low, high = np.percentile(points[main], [2, 98], axis=0)
    return np.asarray(main | ((points > low) & (points < high)).all(1))
