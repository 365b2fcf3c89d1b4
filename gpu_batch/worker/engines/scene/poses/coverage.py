"""From how many sides the object was photographed."""

import numpy as np
import numpy.typing as npt

_STEEP = np.sin(np.radians(65))
"""Cameras above this look down: they have no side."""
_STEP = 45.0
"""A gap of this many degrees between neighbouring cameras is still seen from both of its ends."""


def degrees_round(eyes: npt.NDArray[np.float64]) -> int:
    """How far round the cameras (N, 3) stand about the z axis, 0 to 360; the object is at the origin."""
    away = np.linalg.norm(eyes, axis=1)
    level = eyes[np.abs(eyes[:, 2]) < _STEEP * away]
    if len(level) < 2:
        return 0
    angles = np.sort(np.degrees(np.arctan2(level[:, 1], level[:, 0])))
    gaps = np.diff(angles, append=angles[0] + 360)
    return 360 - round(float(gaps[gaps > _STEP].sum()))
