"""Which part of a model holds together: what registers is not always right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses.matching import STRONG, VERIFIED
from worker.engines.scene.poses.task import Model, Task

Array = npt.NDArray[np.float64]

_MIN_OBSERVATIONS = 12
_FOCAL = (0.3, 6.0)
"""Focal lengths that cameras have, in longer sides of the photo."""
_DISTORTION = 0.9
_WIDE_PX = 4.0
_BEHIND = 0.1
"""Share of a photo's points that may lie behind it."""
_EPIPOLAR = 4.0
"""Pixels from the epipolar line within which a verified match agrees with the model's cameras."""
_AGREE = 0.5
"""Share of a pair's matches, and weight of a photo's pairs, that have to agree."""
_SAMPLE = 200


@dataclass(frozen=True)
class Verdict:
    """What is left of a model, and why the rest is not."""

    model: Model | None
    dropped: tuple[str, ...]
    """File names of photos that were registered, but wrongly."""
    agreement: float
    """Share of the strong pairs between photos that are left, which agree with their cameras."""


@dataclass(frozen=True)
class _Pair:
    a: int
    b: int
    weight: int
    agrees: bool


def judge(task: Task, model: Model) -> Verdict:
    """Keep the largest part without impossible cameras and without photos that their own verified pairs contradict.

    The model's reconstruction is changed in place.
    """
    reconstruction = model.reconstruction
    bad = {i for i in reconstruction.reg_image_ids() if not _possible(reconstruction, reconstruction.images[i])}
    pairs = [pair for pair in _pairs(task, reconstruction) if not {pair.a, pair.b} & bad]
    left = set(reconstruction.reg_image_ids()) - bad
    while (worst := _contradicted(left, pairs)) is not None:
        left.discard(worst)
        pairs = [pair for pair in pairs if worst not in (pair.a, pair.b)]
    left = _largest_part(left, pairs)
    dropped = [image for i, image in reconstruction.images.items() if image.has_pose and i not in left]
    names = tuple(sorted(image.name for image in dropped))
    for image in dropped:
        reconstruction.deregister_frame(image.frame_id)
    strong = [pair for pair in pairs if {pair.a, pair.b} <= left and pair.weight >= STRONG]
    agreement = sum(pair.agrees for pair in strong) / len(strong) if strong else 0.0
    sound = len(left) >= 2 and reconstruction.num_points3D() > 0 and agreement >= _AGREE
    return Verdict(model if sound else None, names, agreement)


def _possible(reconstruction: pycolmap.Reconstruction, image: pycolmap.Image) -> bool:
    """Whether such a camera can have taken the photo: lens, number of points, error, points in front of it."""
    camera = reconstruction.cameras[image.camera_id]
    focal, bend = camera.params[0] / max(camera.width, camera.height), camera.params[-1]
    if not _FOCAL[0] < focal < _FOCAL[1] or abs(bend) > _DISTORTION:
        return False
    seen = [reconstruction.points3D[spot.point3D_id] for spot in image.get_observation_points2D()]
    if len(seen) < _MIN_OBSERVATIONS:
        return False
    depth = _homogeneous(np.array([point.xyz for point in seen])) @ image.cam_from_world().matrix()[2]
    return bool((depth <= 0).mean() <= _BEHIND and np.median([point.error for point in seen]) <= _WIDE_PX)


def _homogeneous(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1))], 1)


def _pairs(task: Task, reconstruction: pycolmap.Reconstruction) -> list[_Pair]:
    """The verified pairs between registered photos, held against the model's cameras."""
    registered = set(reconstruction.reg_image_ids())
    rays: dict[int, tuple[Array, Array]] = {}
    found = []
    with pycolmap.Database.open(task.database) as database:
        for pair_id, geometry in zip(*database.read_two_view_geometries(), strict=True):
            a, b = pycolmap.pair_id_to_image_pair(pair_id)
            matches = np.asarray(geometry.inlier_matches, np.int64)
            if a not in registered or b not in registered or len(matches) < VERIFIED:
                continue
            for one in (a, b):
                if one not in rays:
                    spots = np.asarray(database.read_keypoints(one))[:, :2].astype(np.float64)
                    camera = reconstruction.cameras[reconstruction.images[one].camera_id]
                    flat = np.asarray(camera.cam_from_img(spots), np.float64).reshape(-1, 2)
                    rays[one] = flat, np.asarray(camera.params[:1], np.float64)
            chosen = matches[:: max(1, len(matches) // _SAMPLE)]
            found.append(_Pair(a, b, len(matches), _agree(reconstruction, a, b, rays, chosen)))
    return found


def _agree(
    reconstruction: pycolmap.Reconstruction,
    a: int,
    b: int,
    rays: dict[int, tuple[Array, Array]],
    matches: npt.NDArray[np.int64],
) -> bool:
    """Whether most matches lie near the epipolar lines, and in front of both cameras, of the model's relative pose."""
    b_from_a = reconstruction.images[b].cam_from_world() * reconstruction.images[a].cam_from_world().inverse()
    essential = pycolmap.essential_matrix_from_pose(b_from_a)
    (spots_a, focal), (spots_b, _) = rays[a], rays[b]
    one, other = spots_a[matches[:, 0]], spots_b[matches[:, 1]]
    known = np.isfinite(one).all(1) & np.isfinite(other).all(1)
    if known.sum() < VERIFIED / 2:
        return False
    squared = np.asarray(pycolmap.compute_squared_sampson_error(one[known], other[known], essential))
    near = squared < (_EPIPOLAR / focal[0]) ** 2
    front = _in_front(b_from_a, _homogeneous(one[known]), _homogeneous(other[known]))
    return bool((near & front).mean() >= _AGREE)


def _in_front(b_from_a: pycolmap.Rigid3d, one: Array, other: Array) -> npt.NDArray[np.bool_]:
    """Whether rays (N, 3) of both cameras meet in front of both: a pair turned by 180° fits its epipolar lines too."""
    matrix = b_from_a.matrix()
    turned, shift = one @ matrix[:, :3].T, matrix[:, 3]
    # depth_b * other = depth_a * turned + shift, in least squares.
    aa, bb, ab = (turned**2).sum(1), (other**2).sum(1), (turned * other).sum(1)
    ta, tb = turned @ shift, other @ shift
    determinant = np.maximum(aa * bb - ab**2, 1e-12)
    depth_a, depth_b = (ab * tb - bb * ta) / determinant, (aa * tb - ab * ta) / determinant
    return np.asarray((depth_a > 0) & (depth_b > 0))


def _contradicted(left: set[int], pairs: list[_Pair]) -> int | None:
    """The photo with the most of its matches against it, where that is the larger part."""
    whole, against = dict.fromkeys(left, 0), dict.fromkeys(left, 0)
    for pair in pairs:
        if pair.weight >= STRONG:
            for one in (pair.a, pair.b):
                whole[one] += pair.weight
                against[one] += 0 if pair.agrees else pair.weight
    shares = {one: against[one] / whole[one] for one in left if whole[one]}
    worst = max(shares, key=lambda one: (shares[one], against[one], one), default=None)
    return worst if worst is not None and shares[worst] > _AGREE else None


def _largest_part(left: set[int], pairs: list[_Pair]) -> set[int]:
    """The largest group of photos that hangs together by agreeing pairs."""
    beside: dict[int, set[int]] = {one: set() for one in left}
    for pair in pairs:
        if pair.agrees and pair.a in left and pair.b in left:
            beside[pair.a].add(pair.b)
            beside[pair.b].add(pair.a)
    best: set[int] = set()
    waiting = set(left)
    while waiting:
        reached, edge = set(), {min(waiting)}
        while edge:
            reached |= edge
            edge = {other for one in edge for other in beside[one]} - reached
        waiting -= reached
        best = max(best, reached, key=len)
    return best
