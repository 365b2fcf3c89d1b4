"""Smooth solid noise: a periodic random volume, read with trilinear interpolation."""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]


@cache
def _volume(seed: int) -> Floats:
    return np.random.default_rng(seed).random((48, 48, 48), dtype=np.float32)


def noise(points: Floats, frequency: float, seed: int = 0) -> Floats:
    """Values in 0..1 at points (N, 3); `frequency` is cells per unit of length."""
    where = np.ascontiguousarray(points.T * np.float32(frequency))
    return np.asarray(ndimage.map_coordinates(_volume(seed), where, order=1, mode="grid-wrap", prefilter=False))


def fractal(points: Floats, frequency: float, octaves: int, seed: int = 0) -> Floats:
    """Sum of octaves, each half as strong as the one before, scaled to 0..1."""
    total = np.zeros(len(points), dtype=np.float32)
    weights = [0.5**octave for octave in range(octaves)]
    for octave, weight in enumerate(weights):
        total += np.float32(weight) * noise(points + np.float32(1.7 * octave), frequency * 2**octave, seed + octave)
    return np.asarray(total / sum(weights), dtype=np.float32)
