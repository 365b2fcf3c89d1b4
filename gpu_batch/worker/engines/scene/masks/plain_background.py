"""A plain background: a smooth sheet of colour fitted to the border, and GrabCut where the photo differs from it."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene.masks import MAX_SHARE, MIN_SHARE, Mask
from worker.engines.scene.masks.grabcut import refine, without_specks
from worker.engines.scene.photos import Image

_BORDER = 0.035
_PLAIN = 7.0
"""Grey levels: a border is plain when a smooth sheet of colour explains it this well."""


@dataclass(frozen=True)
class Sheet:
    """A smooth background: colour as a quadratic function of position, fitted to the border."""

    coefficients: npt.NDArray[np.float64]
    noise: float
    """Spread of the border around the fit, grey levels."""
    share: float
    """Share of the border that fits."""

    def paint(self, height: int, width: int) -> npt.NDArray[np.float32]:
        """The background alone (H, W, 3)."""
        y, x = np.mgrid[0:height, 0:width]
        terms = _terms((x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height)
        return np.asarray((terms @ self.coefficients).reshape(height, width, 3), np.float32)


def _terms(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)


def fit_sheet(rgb: Image) -> Sheet:
    """Fit the background of (H, W, 3) to its border, leaving out what the object covers there."""
    height, width = rgb.shape[:2]
    edge = max(2, round(_BORDER * max(height, width)))
    y, x = np.mgrid[0:height, 0:width]
    border = (x < edge) | (y < edge) | (x >= width - edge) | (y >= height - edge)
    terms = _terms((x[border] + 0.5) / width, (y[border] + 0.5) / height)
    values = rgb[border].astype(np.float64)
    keep = np.ones(len(values), bool)
    away = np.zeros(len(values))
    for _ in range(4):
        coefficients, *_rest = np.linalg.lstsq(terms[keep], values[keep], rcond=None)
        away = np.abs(values - terms @ coefficients).max(1)
        keep = away < max(10.0, 2.5 * float(np.median(away)))
    return Sheet(coefficients, float(np.sqrt((away[keep] ** 2).mean())), float((away < 3 * _PLAIN).mean()))


def is_plain(sheet: Sheet) -> bool:
    """Whether GrabCut may be trusted in front of this background."""
    return sheet.noise < _PLAIN and sheet.share > 0.8


def cut(small: Image) -> Mask | None:
    """Cut the object of (H, W, 4) from its plain background: (H, W), or None where it cannot be told."""
    rgb = np.ascontiguousarray(small[..., :3])
    sheet = fit_sheet(rgb)
    away = np.abs(rgb - sheet.paint(*rgb.shape[:2])).max(2)
    away = cv2.GaussianBlur(away, (0, 0), 0.7)
    sure, maybe = max(30.0, 6 * sheet.noise), max(12.0, 3.5 * sheet.noise)
    labels = np.full(rgb.shape[:2], cv2.GC_BGD, np.uint8)
    labels[cv2.dilate((away > maybe).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0] = cv2.GC_PR_BGD
    labels[away > maybe] = cv2.GC_PR_FGD
    labels[cv2.erode((away > sure).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = cv2.GC_FGD
    found = refine(rgb, labels, 2)
    if found is None:
        return None
    # GrabCut's colour models know no light fall-off: what lies within the sheet's noise stays background.
    solid = without_specks(np.asarray(found & (away > maybe * 0.6), np.uint8))
    return np.asarray(solid * np.uint8(255)) if MIN_SHARE < solid.mean() < MAX_SHARE else None
