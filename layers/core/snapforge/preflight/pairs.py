"""Which photos are worth matching: neighbours, and those whose largest features already agree (Wu 2013, preemptive
matching). All pairs of a small set."""

import numpy as np
import numpy.typing as npt

Descriptors = npt.NDArray[np.float32]
"""(features, 128), unit vectors, the largest features first."""

ALL_UP_TO = 14
_NEIGHBOURS = 3
_ALIKE = 8
_RATIO = 0.85
_WORK = 66 * 240
"""Features of all photos together that are compared with each other: 2 s for 66 photos on one core."""


def choose(photos: list[Descriptors]) -> list[tuple[int, int]]:
    """Pairs (a < b) of photo numbers."""
    count = len(photos)
    if count <= ALL_UP_TO:
        return [(a, b) for a in range(count) for b in range(a + 1, count)]
    pairs = {(a, b) for a in range(count) for b in range(a + 1, min(count, a + 1 + _NEIGHBOURS))}
    agreeing = agreement(photos)
    for a in range(count):
        order = np.argsort(-agreeing[a], kind="stable")[:_ALIKE]
        pairs |= {(min(a, int(b)), max(a, int(b))) for b in order if agreeing[a, b] > 0}
    return sorted(pairs)


def agreement(photos: list[Descriptors]) -> npt.NDArray[np.int32]:
    """(photos, photos): how many of the largest features of two photos are each other's nearest, and clearly so."""
    count = len(photos)
    most = max(40, min(300, _WORK // count))
    table = np.zeros((count, most, 128), np.float32)
    for index, rows in enumerate(photos):
        table[index, : min(most, len(rows))] = rows[:most]
    flat = table.reshape(-1, 128)
    there = np.any(table, 2)
    nearest = np.zeros((count, count, most), np.int32)
    clear = np.zeros((count, count, most), bool)
    for a in range(count):
        alike = (table[a] @ flat.T).reshape(most, count, most).transpose(1, 0, 2)
        nearest[a] = alike.argmax(2)
        first = np.take_along_axis(alike, nearest[a][..., None], 2)[..., 0]
        np.put_along_axis(alike, nearest[a][..., None], -1.0, 2)
        second = alike.max(2)
        # Distances of unit vectors, squared: 2 - 2 cos.
        clear[a] = (1 - first < _RATIO**2 * (1 - second)) & there[a]
    return _mutual(nearest, clear)


def _mutual(nearest: npt.NDArray[np.int32], clear: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    count, _, most = nearest.shape
    places = np.arange(most)
    found = np.zeros((count, count), np.int32)
    for a in range(count):
        for b in range(a + 1, count):
            there = nearest[a, b]
            found[a, b] = found[b, a] = np.count_nonzero(clear[a, b] & (nearest[b, a][there] == places))
    return found
