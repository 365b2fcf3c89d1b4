"""Masks after the poses: each photo's mask is held against what all masks allow, and cut again where it differs.

Where there are no masks yet, the sparse cloud seeds them: the object's points lie inside its outline in every photo,
visible or not; points of other things, in the photos that see them, lie outside. The masks of all photos then vote on
voxels, and the voxels' picture seeds each photo again (after Campbell, Vogiatzis, Hernández and Cipolla 2010).
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene import photos, views
from worker.engines.scene.masks import MIN_SHARE, sparse
from worker.engines.scene.masks.grabcut import refine, without_specks
from worker.engines.scene.masks.hull import Hull, carve
from worker.engines.scene.views import Array, Capture, View

Bools = npt.NDArray[np.bool_]
Tick = Callable[[float], None]

_PX = 400
_TRUSTED = 0.95
"""A mask that agrees so well (intersection over union) with the hull's outline is left as it is."""
_WRONG = 0.85
"""A mask that agrees less after the second cut is replaced by the hull's outline."""
_ELSEWHERE = 0.75
"""Where neither so much of the hull's outline lies in a photo's own mask, nor so much of the mask in the outline, the
camera is wrong: a mask that is merely too large holds the outline, one that lacks a part lies in it."""
_MAX_MISPLACED = 0.2
_AGREED = 0.86
"""The set's median agreement under which the masks are not believed at all."""
_MAX_BORDER = 0.4
"""Share of the pictures' border: what covers more of it in most photos is the room, not an object."""
_MARGIN = 0.06


@dataclass(frozen=True)
class Outlined:
    """The capture with its new masks, box and scale; how many masks changed; the median agreement with the hull."""

    capture: Capture
    changed: int
    agreement: float
    misplaced: tuple[str, ...]
    """Names of the photos whose camera cannot be where it was thought to be: their views were taken out."""


def outline(folder: pathlib.Path, capture: Capture, tick: Tick) -> Outlined | None:
    """Make or mend the masks of all views, and fit the frame to the object. None, and nothing written, if that fails.

    Reads and rewrites `views/`. A view whose mask agrees with the others keeps it at its full size.
    """
    small = [view.scaled(_PX) for view in capture.views]
    given = [_given(folder, view) for view in small]
    low, high, floor = capture.low, capture.high, capture.floor
    masks = given
    if capture.masks == "none":
        seeds = _seeds(capture)
        if seeds is None:
            return None
        low, high, floor = seeds.low, seeds.high, seeds.floor
        masks = []
        for number, (view, mine) in enumerate(zip(small, given, strict=True)):
            masks.append(_seeded(folder, capture, view, number, seeds) if mine is None else mine)
            tick(0.4 * (number + 1) / len(small))
    hull = carve(small, masks, low, high, floor)
    if hull is None:
        return None
    misplaced = _misplaced(small, given, hull)
    if len(misplaced) > _MAX_MISPLACED * len(small):
        return None
    names = tuple(capture.views[number].name for number in misplaced)
    if misplaced:
        stay = [number for number in range(len(small)) if number not in misplaced]
        capture, small = _without(capture, stay), [small[number] for number in stay]
        given, masks = [given[number] for number in stay], [masks[number] for number in stay]
        hull = carve(small, masks, low, high, floor) or hull
    recut = _held_against(folder, small, masks, hull, lambda share: tick(0.4 + 0.4 * share))
    hull = carve(small, recut, low, high, floor)
    if hull is None:
        return None
    shapes = [hull.silhouette(view) for view in small]
    overlaps = [overlap(mask, shape) for mask, shape in zip(recut, shapes, strict=True)]
    if np.median(overlaps) < _AGREED or np.median([_on_border(mask) for mask in recut]) > _MAX_BORDER:
        return None
    final = [m if good > _WRONG else s for m, s, good in zip(recut, shapes, overlaps, strict=True)]
    changed = [number for number, mask in enumerate(final) if mask is not given[number]]
    for done, number in enumerate(changed):
        _write(folder, capture.views[number], final[number])
        tick(0.8 + 0.2 * done / len(changed))
    kind = "geometry" if capture.masks == "none" else capture.masks
    fitted = _fitted(replace(capture, masks=kind), small, final, hull)
    views.save(folder, fitted)
    return Outlined(fitted, len(changed), float(np.median(overlaps)), names)


def overlap(one: Bools, other: Bools) -> float:
    """Intersection over union."""
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0


def _misplaced(small: Sequence[View], given: Sequence[Bools | None], hull: Hull) -> list[int]:
    found = []
    for number, (view, mask) in enumerate(zip(small, given, strict=True)):
        if mask is not None:
            shape = hull.silhouette(view)
            if (mask & shape).sum() < _ELSEWHERE * min(int(mask.sum()), int(shape.sum())):
                found.append(number)
    return found


def _without(capture: Capture, stay: Sequence[int]) -> Capture:
    """The capture with only the views numbered in `stay`."""
    new_index = np.full(len(capture.views), -1)
    new_index[list(stay)] = np.arange(len(stay))
    tracks = capture.tracks[new_index[capture.tracks[:, 0]] >= 0]
    return replace(
        capture,
        views=tuple(capture.views[number] for number in stay),
        tracks=np.column_stack([new_index[tracks[:, 0]], tracks[:, 1]]).astype(np.int64),
    )


def _on_border(mask: Bools) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def _given(folder: pathlib.Path, view: View) -> Bools | None:
    """The mask that a view has from before; None where it is opaque all over."""
    alpha = views.image(folder, view)[..., 3]
    return None if alpha.min() > 250 else np.asarray(alpha > 127)


@dataclass(frozen=True)
class _Seeds:
    """What the sparse cloud says: which points (N,) are the object's; the box for the hull; the floor's height."""

    ours: Bools
    low: Array
    high: Array
    floor: float | None


def _seeds(capture: Capture) -> _Seeds | None:
    if len(capture.points) < sparse.MIN_POINTS:
        return None
    eyes = np.array([view.pose[:3, 3] for view in capture.views])
    focus, reach = sparse.sight(eyes, np.array([view.pose[:3, 2] for view in capture.views]))
    ours, plane = sparse.on_object(capture.points, focus, reach, eyes)
    if ours.sum() < sparse.MIN_POINTS:
        return None
    low, high = np.percentile(capture.points[ours], [0.5, 99.5], axis=0)
    margin = 0.2 * float((high - low).max())
    # The frame's z is the floor's normal where there is a floor.
    level = plane is not None and plane.normal[2] > 0.99
    return _Seeds(ours, low - margin, high + margin, plane.height if plane is not None and level else capture.floor)


def _seeded(folder: pathlib.Path, capture: Capture, view: View, number: int, seeds: _Seeds) -> Bools | None:
    """The object in one view, from where the sparse points lie in it. None where it cannot be told."""
    shape = (view.height, view.width)
    spots = _spots(view, capture.points[seeds.ours])
    if len(spots) < 12:
        return None
    size = float(np.ptp(np.percentile(spots, [2, 98], axis=0), axis=0).max())
    seen = capture.tracks[capture.tracks[:, 0] == number, 1]
    not_owned = _spots(view, capture.points[seen[~seeds.ours[seen]]])
    round_it = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(round_it, np.asarray(cv2.convexHull(spots.astype(np.int32))), (1,))
    reach = cv2.dilate(round_it, _disc(0.1 * size))
    on = _dots(shape, spots, max(1, round(0.012 * size)))
    labels = np.full(shape, cv2.GC_BGD, np.uint8)
    labels[reach > 0] = cv2.GC_PR_BGD
    labels[cv2.morphologyEx(on, cv2.MORPH_CLOSE, _disc(0.07 * size)) > 0] = cv2.GC_PR_FGD
    labels[on > 0] = cv2.GC_FGD
    labels[(_dots(shape, not_owned, 2) > 0) & (labels != cv2.GC_FGD)] = cv2.GC_BGD
    return _solid(refine(views.image(folder, view)[..., :3], labels, 3))


def _spots(view: View, points: Array) -> npt.NDArray[np.float32]:
    """Where points (N, 3) lie in the picture, (M, 2) column and row; those outside of it are left out."""
    u, v, depth = view.project(points)
    inside = (depth > 0) & (u >= 0) & (v >= 0) & (u < view.width) & (v < view.height)
    return np.stack([u[inside], v[inside]], 1).astype(np.float32)


def _dots(shape: tuple[int, int], spots: npt.NDArray[np.float32], radius: int) -> npt.NDArray[np.uint8]:
    dots = np.zeros(shape, np.uint8)
    dots[spots[:, 1].astype(int), spots[:, 0].astype(int)] = 1
    return np.asarray(cv2.dilate(dots, _disc(radius)), np.uint8)


def _disc(radius: float) -> npt.NDArray[np.uint8]:
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _solid(found: Bools | None) -> Bools | None:
    if found is None:
        return None
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, _disc(1))
    clean = without_specks(np.asarray(opened, np.uint8))
    return np.asarray(clean > 0) if clean.mean() > MIN_SHARE else None


def _held_against(
    folder: pathlib.Path, small: Sequence[View], masks: Sequence[Bools | None], hull: Hull, tick: Tick
) -> list[Bools]:
    """Each mask, or a new cut in the band round the hull's outline where it is missing or differs."""
    kept: list[Bools] = []
    for number, (view, mask) in enumerate(zip(small, masks, strict=True)):
        shape = hull.silhouette(view)
        if mask is not None and overlap(mask, shape) > _TRUSTED:
            kept.append(mask)
        else:
            kept.append(_recut(folder, view, shape))
        tick((number + 1) / len(small))
    return kept


def _recut(folder: pathlib.Path, view: View, shape: Bools) -> Bools:
    """GrabCut in a band round the hull's outline (H, W); the outline itself where that finds nothing."""
    if not shape.any():
        return shape
    across = np.sqrt(shape.sum())
    plain = shape.astype(np.uint8)
    labels = np.where(shape, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(plain, _disc(0.06 * across)) > 0] = cv2.GC_FGD
    labels[cv2.dilate(plain, _disc(0.04 * across)) == 0] = cv2.GC_BGD
    found = _solid(refine(views.image(folder, view)[..., :3], labels, 2))
    return shape if found is None else found


def _write(folder: pathlib.Path, view: View, mask: Bools) -> None:
    """Put a small mask into the view's alpha, its outline smoothed to the view's size."""
    pixels = views.image(folder, view)
    soft = cv2.resize(mask.astype(np.float32), (view.width, view.height), interpolation=cv2.INTER_LINEAR)
    step = view.width / mask.shape[1]
    if step > 1:
        soft = cv2.GaussianBlur(soft, (0, 0), 0.6 * step)
    pixels[..., 3] = (soft > 0.5) * np.uint8(255)
    photos.write(folder / "views" / f"{view.index:03d}.png", pixels)


def _fitted(capture: Capture, small: Sequence[View], masks: Sequence[Bools], hull: Hull) -> Capture:
    """The capture with the hull's box as its own, scaled to a longest side of two; points outside the masks dropped."""
    low, high = hull.box
    margin = _MARGIN * float((high - low).max())
    low, high = low - margin, high + margin
    if capture.floor is not None:
        low[2] = max(low[2], capture.floor)
    centre, scale = (low + high) / 2, 2.0 / float((high - low).max())
    denied = np.zeros(len(capture.points), int)
    for view, mask in zip(small, masks, strict=True):
        u, v, depth = view.project(capture.points)
        inside = (depth > 0) & (u >= 0) & (v >= 0) & (u < view.width) & (v < view.height)
        denied[inside] += ~mask[v[inside].astype(int), u[inside].astype(int)]
    good = denied <= max(1, len(small) // 10)
    rows = np.cumsum(good) - 1
    tracks = capture.tracks[good[capture.tracks[:, 1]]]
    return replace(
        capture,
        views=tuple(_moved(view, centre, scale) for view in capture.views),
        low=(low - centre) * scale,
        high=(high - centre) * scale,
        points=(capture.points[good] - centre) * scale,
        tracks=np.column_stack([tracks[:, 0], rows[tracks[:, 1]]]).astype(np.int64),
        floor=None if capture.floor is None else float((capture.floor - centre[2]) * scale),
    )


def _moved(view: View, centre: Array, scale: float) -> View:
    pose = view.pose.copy()
    pose[:3, 3] = (pose[:3, 3] - centre) * scale
    return replace(view, pose=pose)
