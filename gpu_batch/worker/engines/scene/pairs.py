"""Which photos to match with which: all pairs of a small set; neighbours and look-alikes of a large one."""

import numpy as np
import numpy.typing as npt

ALL_PAIRS_UP_TO = 60
_NEIGHBOURS = 8
_ALIKE = 16
_WORDS = 48


def choose_pairs(descriptors: list[npt.NDArray[np.uint8]], seed: int = 0) -> list[tuple[int, int]]:
    """Pairs (a < b) of photo numbers, from each photo's SIFT descriptors (features, 128)."""
    count = len(descriptors)
    if count <= ALL_PAIRS_UP_TO:
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    pairs = {(a, b) for a in range(count) for b in range(a + 1, min(count, a + 1 + _NEIGHBOURS))}
    looks = _vlad(descriptors, seed)
    likeness = looks @ looks.T
    np.fill_diagonal(likeness, -np.inf)
    for a in range(count):
        pairs |= {(min(a, int(b)), max(a, int(b))) for b in np.argsort(-likeness[a])[:_ALIKE]}
    return sorted(pairs)


def _vlad(descriptors: list[npt.NDArray[np.uint8]], seed: int) -> npt.NDArray[np.float32]:
    """A unit vector per photo: residuals of its descriptors to a small vocabulary (Jégou et al. 2010)."""
    random = np.random.default_rng(seed)
    some = [rows[random.permutation(len(rows))[:200]] for rows in descriptors if len(rows)]
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
