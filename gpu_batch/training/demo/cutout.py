"""The solid cut out of its background, which is alike along each row, and what its colours and the border tell."""

import numpy as np
import numpy.typing as npt

from training.demo.pictures import Picture

Array = npt.NDArray[np.float32]

_BORDER = 5
_APART = 9.0
"""How far (CIE Lab) a pixel must be from its row's background to belong to the solid."""
_SHADOW = 0.36
"""The floor is never darkened further than to this share."""
_MIN_PIXELS = 40
"""Pixels; fewer are no solid."""
COLOUR, BACKGROUND = 21, 48
"""The number of values that tell of each."""


def features(picture: Picture) -> dict[str, Array] | None:
    """Values for `colour`, (COLOUR,), and `background`, (BACKGROUND,); None where no solid stands out."""
    lab = _lab(picture)
    rows = _rows(lab)
    mask = _solid(picture, lab, rows)
    if mask.sum() < _MIN_PIXELS:
        return None
    share = np.percentile(lab[mask], (15, 35, 50, 70, 85), axis=0).reshape(-1) / 50
    around = np.concatenate([rows[: len(rows) // 3].mean(axis=0), rows[-len(rows) // 3 :].mean(axis=0)]) / 50
    border = np.stack([part.mean(axis=0) for part in np.array_split(rows, 16)]) / 50
    return {
        "colour": np.concatenate([share, around]).astype(np.float32),
        "background": border.reshape(-1).astype(np.float32),
    }


def solid(picture: Picture) -> npt.NDArray[np.bool_]:
    """Which pixels (h, w) belong to the solid."""
    lab = _lab(picture)
    return _solid(picture, lab, _rows(lab))


def _rows(lab: Array) -> Array:
    """The background of each row (h, 3), as the picture's borders show it."""
    return np.asarray(np.median(np.concatenate([lab[:, :_BORDER], lab[:, -_BORDER:]], axis=1), axis=1), np.float32)


def _solid(picture: Picture, lab: Array, rows: Array) -> npt.NDArray[np.bool_]:
    """Which pixels differ from their row's background and are not merely its shadow."""
    away = np.linalg.norm(lab - rows[:, None], axis=2)
    linear = (picture / 255.0) ** 2.2
    ground = np.median(np.concatenate([linear[:, :_BORDER], linear[:, -_BORDER:]], axis=1), axis=1)[:, None]
    darkened = (linear * ground).sum(axis=2) / np.maximum((ground**2).sum(axis=2), 1e-6)
    off = np.linalg.norm(linear - darkened[..., None] * ground, axis=2) / np.maximum(
        np.linalg.norm(ground, axis=2), 1e-3
    )
    shadow = (darkened < 1) & (darkened > _SHADOW) & (off < 0.05)
    return np.asarray((away > _APART) & ~shadow)


def _lab(picture: Picture) -> Array:
    """CIE Lab (D65) of sRGB, with a gamma of 2.2."""
    linear = (picture / 255.0) ** 2.2
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    root = np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 1e-4))
    return np.stack(
        [116 * root[..., 1] - 16, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], axis=2
    ).astype(np.float32)
