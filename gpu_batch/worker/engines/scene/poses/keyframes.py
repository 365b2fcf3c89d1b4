"""Frames of a video: neighbours that show nearly the same view cost time and teach nothing."""

import pathlib
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from worker.engines.scene import photos

Grey = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_MIN_FRAMES = 40
"""Smaller sets are used whole."""
_LOOK_PX = 320
_STEP = 0.012
"""Shares of the longer side by which the picture moves: a step between frames of a video is smaller than this,"""
_KEY = 0.025
"""and a step between keyframes at least this large: some six degrees round an object."""
_CORNERS = 200
_TRACKED = 0.5


def choose(paths: Sequence[pathlib.Path], tick: Callable[[float], None]) -> list[int]:
    """Numbers of the photos to use: all, unless most follow each other like frames of a video; then its keyframes."""
    everything = list(range(len(paths)))
    if len(paths) < _MIN_FRAMES:
        return everything
    before = key = _look(paths[0])
    steps, chosen = [], [0]
    for number in everything[1:]:
        now = _look(paths[number])
        steps.append(_moved(before, now))
        if _moved(key, now) >= _KEY:
            chosen.append(number)
            key = now
        before = now
        tick(number / len(paths))
    if np.median(steps) >= _STEP or len(chosen) < photos.MIN_PHOTOS:
        return everything
    return chosen


def _look(path: pathlib.Path) -> Grey:
    return np.asarray(cv2.cvtColor(photos.read_small(path, _LOOK_PX), cv2.COLOR_RGBA2GRAY), np.uint8)


def _moved(one: Grey, other: Grey) -> float:
    """By how much of the longer side corners move (of the quarter that moves most); 1 where they cannot be followed."""
    if one.shape != other.shape:
        return 1.0
    corners = cv2.goodFeaturesToTrack(one, _CORNERS, 0.01, 5)
    if corners is None:
        return 1.0
    # The third point set is only a first guess, which OpenCV does not read without its flag.
    there, found, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, corners.copy())
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(other, one, there, there.copy())
    sure = (found * found_back).ravel().astype(bool) & (np.abs(corners - back).max((1, 2)) < 1)
    if sure.mean() < _TRACKED:
        return 1.0
    away = np.linalg.norm((there - corners)[sure].reshape(-1, 2), axis=1)
    return float(np.quantile(away, 0.75)) / max(one.shape)
