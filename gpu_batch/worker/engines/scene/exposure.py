"""How bright and how warm each photo is beside the others, by what the same sparse points look like in them.

A flash, a cloud or a camera's automatic makes photos of one surface differ; the model has one texture. Each point's
colour is the median over the photos that saw it, each photo's gain the median over the points that it saw: medians,
because highlights move with the camera.
"""

import pathlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from worker.engines.scene import views
from worker.engines.scene.rays import bilinear
from worker.engines.scene.views import Array, Capture, View

_LOOK_PX = 400
_DARKEST, _BRIGHTEST = 10.0, 245.0
"""Beyond these of 255 a value was cut off, and tells no ratio."""
_MIN_POINTS = 30
_MAX_GAIN = 2.0
_ROUNDS = 8


def evened(folder: pathlib.Path, capture: Capture) -> tuple[View, ...]:
    """The capture's views with their gains. Reads `views/<index>.png`."""
    seen = [_colours(folder, view, capture, position) for position, view in enumerate(capture.views)]
    found = gains([rows for rows, _ in seen], [colours for _, colours in seen], len(capture.points))
    return tuple(replace(view, gain=(r, g, b)) for view, (r, g, b) in zip(capture.views, found.tolist(), strict=True))


def gains(rows: Sequence[npt.NDArray[np.int64]], colours: Sequence[Array], points: int) -> Array:
    """What brings each photo to the light of all, (photos, 3), 1 on average of the logarithms, at most a factor of two.

    rows: for each photo the numbers of the points it saw, of `points` in all; colours: theirs, (n, 3) in 0..255.
    A photo with few points that tell anything keeps its light.
    """
    logs = [np.where((some > _DARKEST) & (some < _BRIGHTEST), np.log(np.maximum(some, 1.0)), np.nan)
            for some in colours]  # fmt: skip
    found = np.zeros((len(rows), 3))
    for channel in range(3):
        known = [np.isfinite(some[:, channel]) for some in logs]
        of = [some[good] for some, good in zip(rows, known, strict=True)]
        values = [some[good, channel] for some, good in zip(logs, known, strict=True)]
        found[:, channel] = _balance(of, values, points)
    return np.asarray(np.exp(np.clip(found, -np.log(_MAX_GAIN), np.log(_MAX_GAIN))))


def _balance(of: list[npt.NDArray[np.int64]], values: list[Array], points: int) -> Array:
    """Logarithms of gains (photos,), 0 on average, that make the photos agree on their points."""
    found = np.zeros(len(of))
    photo = np.repeat(np.arange(len(of)), [len(some) for some in of])
    row, value = np.concatenate(of), np.concatenate(values)
    if not len(row):
        return found
    for _ in range(_ROUNDS):
        surface = _medians(row, value + found[photo], points)
        lack = surface[row] - value
        found = np.where([len(some) >= _MIN_POINTS for some in of], _medians(photo, lack, len(of)), 0.0)
        found -= found.mean()
    return found


def _medians(group: npt.NDArray[np.int64], values: Array, groups: int) -> Array:
    """The median of each group's values, (groups,); 0 for a group without any."""
    order = np.lexsort((values, group))
    ordered, counts = values[order], np.bincount(group, minlength=groups)
    first = np.cumsum(counts) - counts
    low, high = first + (counts - 1) // 2, first + counts // 2
    last = max(len(ordered) - 1, 0)
    middle = (ordered[np.clip(low, 0, last)] + ordered[np.clip(high, 0, last)]) / 2
    return np.asarray(np.where(counts > 0, middle, 0.0))


def _colours(folder: pathlib.Path, view: View, capture: Capture, position: int) -> tuple[npt.NDArray[np.int64], Array]:
    """The points that this view saw and what they look like in it, (n, 3) in 0..255."""
    small = view.scaled(_LOOK_PX)
    rows = capture.tracks[capture.tracks[:, 0] == position, 1]
    u, v, _ = small.project(capture.points[rows])
    inside = (u > 1) & (u < small.width - 1) & (v > 1) & (v < small.height - 1)
    pixels = views.image(folder, small)[..., :3].astype(np.float32)
    return rows[inside], np.asarray(bilinear(pixels, u[inside] - 0.5, v[inside] - 0.5), np.float64)
