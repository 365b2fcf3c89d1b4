"""Matching of chosen pairs, and the graph of what was verified."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.pairs import Pair
from worker.engines.scene.poses import tables
from worker.engines.scene.poses.task import Task

Ints = npt.NDArray[np.int64]

_CHUNK = 60
_PAIRS_PER_TICK = 8
VERIFIED = 15
"""Matches that agree with one camera motion: fewer are chance (COLMAP's own limit)."""
STRONG = 30
_FLAT = pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC.value
_PANORAMIC = pycolmap.TwoViewGeometryConfiguration.PANORAMIC.value


@dataclass(frozen=True)
class Graph:
    """Which photos see the same things."""

    inliers: Ints
    """(N, N), symmetric: verified matches of each pair of photos; 0 under VERIFIED."""
    tried: npt.NDArray[np.bool_]
    """(N, N), symmetric: pairs that were matched."""
    still: npt.NDArray[np.bool_]
    """(N, N), symmetric: verified pairs that a turned camera, or a plane, explains as well."""

    def linked(self, some: Collection[int], others: Collection[int]) -> set[int]:
        """Those of `some` with a verified pair with one of `others`."""
        columns = sorted(others)
        return {one for one in some if self.inliers[one, columns].any()}

    @property
    def components(self) -> list[list[int]]:
        """Photos that hang together by verified pairs, the largest group first."""
        left, found = set(range(len(self.inliers))), []
        while left:
            reached, edge = set(), {min(left)}
            while edge:
                reached |= edge
                edge = {int(other) for one in edge for other in np.flatnonzero(self.inliers[one])} - reached
            found.append(sorted(reached))
            left -= reached
        return sorted(found, key=lambda group: (-len(group), group))


def match(task: Task, pairs: list[Pair], guided: bool, tick: Callable[[float], None]) -> None:
    """Match and verify these pairs of photo numbers, but for those that are in the database already."""
    names = task.names
    listing = task.work / "pairs.txt"
    matching = pycolmap.FeatureMatchingOptions()
    matching.guided_matching = guided
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = task.seed
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        listing.write_text("".join(f"{names[a]} {names[b]}\n" for a, b in chunk))
        pairing = pycolmap.ImportedPairingOptions()
        pairing.match_list_path = listing
        pycolmap.match_image_pairs(task.database, matching, pairing, verification, task.device)
        tick(min(1.0, (start + _CHUNK) / len(pairs)))


def match_again(task: Task, pairs: list[Pair], tick: Callable[[float], None]) -> None:
    """Match these pairs anew, guided by the geometry that they were verified with: two to four times as many matches.

    A few at a time: at a tick every pair has its matches, old or new.
    """
    names = task.names
    for start in range(0, len(pairs), _PAIRS_PER_TICK):
        chunk = pairs[start : start + _PAIRS_PER_TICK]
        with pycolmap.Database.open(task.database) as database:
            ids = {image.name: image.image_id for image in database.read_all_images()}
            for a, b in chunk:
                database.delete_matches(ids[names[a]], ids[names[b]])
                database.delete_two_view_geometry(ids[names[a]], ids[names[b]])
        match(task, chunk, True, lambda share: None)
        tick(min(1.0, (start + _PAIRS_PER_TICK) / len(pairs)))


def descriptors(task: Task) -> list[npt.NDArray[np.uint8]]:
    """SIFT descriptors (features, 128) by photo number."""
    with pycolmap.Database.open(task.database) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
        return [np.asarray(database.read_descriptors(ids[name]).data, np.uint8).reshape(-1, 128) for name in task.names]


def graph(task: Task) -> Graph:
    """What the database holds by now."""
    count = len(task.paths)
    number = {name: index for index, name in enumerate(task.names)}
    inliers = np.zeros((count, count), np.int64)
    tried, still = np.zeros((count, count), bool), np.zeros((count, count), bool)
    with pycolmap.Database.open(task.database) as database:
        by_id = {image.image_id: number[image.name] for image in database.read_all_images() if image.name in number}
        pair_ids, geometries = database.read_two_view_geometries()
    for pair in tables.matched(task.database):
        a, b = (by_id.get(one, -1) for one in pair)
        if min(a, b) >= 0:
            tried[a, b] = tried[b, a] = True
    for pair_id, geometry in zip(pair_ids, geometries, strict=True):
        a, b = (by_id.get(one, -1) for one in pycolmap.pair_id_to_image_pair(pair_id))
        if min(a, b) >= 0 and len(geometry.inlier_matches) >= VERIFIED:
            inliers[a, b] = inliers[b, a] = len(geometry.inlier_matches)
            still[a, b] = still[b, a] = int(geometry.config) in (_FLAT, _PANORAMIC)
    return Graph(inliers, tried, still)
