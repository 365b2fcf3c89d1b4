"""From links between photos to what will become of them. Plain values; no pixels, no pycolmap.

The thresholds were set on the sets that `gpu_batch/bench/preflight_sets.py` calls TUNED_ON, and are held against the
others by `python -m tests.bench --put preflight`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import atan2, degrees

Rotation = tuple[float, float, float, float, float, float, float, float, float]
"""Camera b from camera a, row by row."""

LINKED = 15
"""Matches that agree on a geometry: below this two photos are strangers."""
STRONG = 20
"""From here on a link is believed without a third photo to confirm it."""
_TURNED_SHARE = 0.6
_ALIKE_MOVE = 0.012
_STEP_DEGREES = 75.0
"""Between two photos further apart than this nothing has been seen."""


@dataclass(frozen=True, slots=True)
class Link:
    """Two photos (a < b) whose features agree on a geometry."""

    a: int
    b: int
    inliers: int
    turned: bool
    """Explained by turning the camera alone."""
    move: float
    """How far the agreeing features move, as a share of the picture's diagonal (upper quartile)."""
    rotation: Rotation | None = None


def groups(photos: int, links: Iterable[Link]) -> list[list[int]]:
    """Photos that hang together, the largest group first; photos alone are in none."""
    root = list(range(photos))

    def find(one: int) -> int:
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for link in links:
        root[find(link.a)] = find(link.b)
    gathered: dict[int, list[int]] = {}
    for photo in range(photos):
        gathered.setdefault(find(photo), []).append(photo)
    return sorted((group for group in gathered.values() if len(group) > 1), key=lambda group: (-len(group), group))


def believed(links: Sequence[Link]) -> list[Link]:
    """The links that a mapper will use: strong ones, and weaker ones that a third photo confirms."""
    linked = [link for link in links if link.inliers >= LINKED]
    beside: dict[int, set[int]] = {}
    for link in linked:
        beside.setdefault(link.a, set()).add(link.b)
        beside.setdefault(link.b, set()).add(link.a)
    return [link for link in linked if link.inliers >= STRONG or beside[link.a] & beside[link.b]]


def turned_only(photos: int, links: Sequence[Link]) -> bool:
    """Whether most well-matched pairs are explained by a turn alone: the worker refuses such photos."""
    strong = [link for link in links if link.inliers >= 30]
    return len(strong) >= photos - 1 and sum(link.turned for link in strong) > _TURNED_SHARE * len(strong)


def alike(links: Iterable[Link]) -> list[int]:
    """Photos that show nearly what the one before shows."""
    return sorted(
        link.b for link in links if link.b == link.a + 1 and link.inliers >= STRONG and link.move < _ALIKE_MOVE
    )


def coverage(group: Sequence[int], links: Sequence[Link]) -> int | None:
    """Degrees of a turn that the photos of a group look from, by their rotations alone: cameras look at the object,
    so where one looks to tells where it stands. None where fewer than three rotations are known."""
    turns = _orientations(group, links)
    if len(turns) < 3:
        return None
    # Up is what the cameras' up directions (minus the second row) have in common.
    ups = [tuple(-turn[3 + axis] for axis in range(3)) for turn in turns]
    up = _unit([sum(each[axis] for each in ups) for axis in range(3)])
    angles = sorted(_azimuth(turn, up) for turn in turns)
    gaps = [after - before for before, after in pairwise(angles)]
    gaps.append(360.0 - (angles[-1] - angles[0]))
    unseen = sum(gap for gap in gaps if gap > _STEP_DEGREES)
    return round(360.0 - unseen)


def _orientations(group: Sequence[int], links: Sequence[Link]) -> list[Rotation]:
    """Camera from world of the group's photos, along the strongest links that join them (Prim's tree)."""
    members = set(group)
    beside: dict[int, list[tuple[int, int, int, Rotation]]] = {}
    for link in links:
        if link.rotation is not None and link.a in members and link.b in members:
            beside.setdefault(link.a, []).append((-link.inliers, link.a, link.b, link.rotation))
            beside.setdefault(link.b, []).append((-link.inliers, link.b, link.a, _transposed(link.rotation)))
    if not beside:
        return []
    first = min(beside, key=lambda photo: sum(weight for weight, *_ in beside[photo]))
    known: dict[int, Rotation] = {first: (1, 0, 0, 0, 1, 0, 0, 0, 1)}
    waiting = list(beside[first])
    heapify(waiting)
    while waiting:
        _, here, there, rotation = heappop(waiting)
        if there not in known:
            known[there] = _times(rotation, known[here])
            for onward in beside[there]:
                heappush(waiting, onward)
    return list(known.values())


def _azimuth(turn: Rotation, up: Sequence[float]) -> float:
    """Where the camera looks to, degrees about `up`."""
    forward = turn[6:9]
    side = _unit([up[1], -up[0], 0.0] if abs(up[2]) < 0.9 else [0.0, up[2], -up[1]])
    other = (
        up[1] * side[2] - up[2] * side[1],
        up[2] * side[0] - up[0] * side[2],
        up[0] * side[1] - up[1] * side[0],
    )
    return degrees(
        atan2(
            sum(f * o for f, o in zip(forward, other, strict=True)),
            sum(f * s for f, s in zip(forward, side, strict=True)),
        )
    )


def _unit(vector: Sequence[float]) -> tuple[float, float, float]:
    length = max(1e-9, sum(value * value for value in vector) ** 0.5)
    x, y, z = vector
    return x / length, y / length, z / length


def _transposed(m: Rotation) -> Rotation:
    return m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]


def _times(m: Rotation, n: Rotation) -> Rotation:
    rows = [sum(m[3 * row + k] * n[3 * k + column] for k in range(3)) for row in range(3) for column in range(3)]
    return rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7], rows[8]
