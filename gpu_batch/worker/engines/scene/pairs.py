"""Which photos to match with which. Matching all with all costs the most and finds little: of the 2145 pairs of 66
handheld photos 306 share anything.

First neighbours in the order given and look-alikes; then, twice, photos that have verified partners in common.
"""

import numpy as np
import numpy.typing as npt

Pair = tuple[int, int]
"""Photo numbers a < b."""

ALL_PAIRS_UP_TO = 40
_NEIGHBOURS = 2
_ALIKE = 8
_PARTNERS = 4
_ENOUGH = 60
"""Verified matches beyond which a pair says no more about its partners."""
_WORDS = 48


def first_pairs(descriptors: list[npt.NDArray[np.uint8]], seed: int = 0) -> list[Pair]:
    """Pairs from each photo's SIFT descriptors (features, 128): all of a small set, else neighbours and look-alikes."""
    count = len(descriptors)
    if count <= ALL_PAIRS_UP_TO:
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    pairs = {(a, b) for a in range(count) for b in range(a + 1, min(count, a + 1 + _NEIGHBOURS))}
    looks = _vlad(descriptors, seed)
    likeness = looks @ looks.T
    np.fill_diagonal(likeness, -np.inf)
    return sorted(pairs | _best(likeness, _ALIKE))


def more_pairs(inliers: npt.NDArray[np.int64], tried: npt.NDArray[np.bool_]) -> list[Pair]:
    """Untried pairs of photos that have verified partners in common, the strongest for each photo.

    Args:
        inliers: verified matches (N, N), symmetric.
        tried: pairs matched so far (N, N), symmetric.
    """
    links = np.minimum(inliers, _ENOUGH).astype(np.float64)
    common = links @ links
    common[tried] = 0
    np.fill_diagonal(common, 0)
    return sorted(_best(np.where(common > 0, common, -np.inf), _PARTNERS))


def pairs_of(
    weak: set[int], inliers: npt.NDArray[np.int64], tried: npt.NDArray[np.bool_], max_count: int
) -> list[Pair]:
    """Untried pairs of the weak photos with all others; past `max_count` a photo, those near its partners first."""
    count = len(inliers)
    order = np.arange(count)
    found: set[Pair] = set()
    for one in weak:
        near = (inliers[one].astype(bool) @ np.minimum(inliers, _ENOUGH)).astype(np.float64)
        # Without partners the photo's place in the order given is all there is to go by.
        rank = sorted(order, key=lambda other, one=one, near=near: (-near[other], abs(int(other) - one)))  # type: ignore[misc]
        fresh = [int(other) for other in rank if other != one and not tried[one, other]]
        found |= {(min(one, other), max(one, other)) for other in fresh[:max_count]}
    return sorted(found)


def strongest(some: set[int], others: set[int], inliers: npt.NDArray[np.int64], max_count: int) -> list[Pair]:
    """Verified pairs of each of `some` with `others`, the `max_count` with the most matches (N, N) for each."""
    columns = sorted(others)
    found: set[Pair] = set()
    for one in some:
        order = sorted((-int(inliers[one, other]), other) for other in columns if inliers[one, other])
        found |= {(min(one, other), max(one, other)) for _, other in order[:max_count]}
    return sorted(found)


def _best(scores: npt.NDArray[np.floating], max_count: int) -> set[Pair]:
    """For each photo the `max_count` others with the highest finite scores."""
    pairs = set()
    for a, row in enumerate(scores):
        chosen = [int(b) for b in np.argsort(-row, kind="stable")[:max_count] if np.isfinite(row[b])]
        pairs |= {(min(a, b), max(a, b)) for b in chosen}
    return pairs


def _vlad(descriptors: list[npt.NDArray[np.uint8]], seed: int) -> npt.NDArray[np.float32]:
    """A unit vector per photo: residuals of its descriptors to a small vocabulary (Jégou et al. 2010)."""
    random = np.random.default_rng(seed)
    some = [rows[random.permutation(len(rows))[:200]] for rows in descriptors if len(rows)]
    if not some:
        return np.zeros((len(descriptors), 1), np.float32)
    pool = np.concatenate(some).astype(np.float32)
    words = pool[random.permutation(len(pool))[:_WORDS]]
    for _ in range(6):
        nearest = _nearest(pool, words)
        words = np.stack([pool[nearest == k].mean(0) if (nearest == k).any() else words[k] for k in range(len(words))])
    looks = np.zeros((len(descriptors), len(words), pool.shape[1]), np.float32)
    for index, rows in enumerate(descriptors):
        part = rows[:1500].astype(np.float32)
        nearest = _nearest(part, words)
        np.add.at(looks[index], nearest, part - words[nearest])
    looks = np.sign(looks) * np.sqrt(np.abs(looks))
    flat = looks.reshape(len(descriptors), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def _nearest(rows: npt.NDArray[np.float32], words: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    if not len(rows):
        return np.zeros(0, np.int64)
    return np.asarray(np.argmin((words**2).sum(1) - 2 * rows @ words.T, axis=1))
