"""Which pixels show the object: the photos' own alpha, else GrabCut on a plain border, else no masks at all."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene.photos import Image, shrink

Kind = Literal["alpha", "grabcut", "none"]
Mask = npt.NDArray[np.uint8]

_CUT_PX = 512
_BORDER = 0.035
_PLAIN = 7.0
"""Grey levels: a border is plain when a smooth sheet of colour explains it this well."""
_LEAST, _MOST = 0.004, 0.92
"""Shares of the picture between which a mask is believed."""


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


def choose(images: list[Image]) -> Kind:
    """The kind of masks for a set of photos (H, W, 4): one kind for all of them, by a large majority."""
    transparent = sum(bool((image[..., 3] < 128).mean() > _LEAST and (image[..., 3] > 128).any()) for image in images)
    if transparent == len(images):
        return "alpha"
    plain = sum(is_plain(fit_sheet(shrink(image, 256)[..., :3])) for image in images)
    return "grabcut" if plain >= 0.9 * len(images) else "none"


def cut(image: Image) -> Mask | None:
    """Cut the object of (H, W, 4) from its plain background: (H, W) of 0 or 255, or None where it cannot be told."""
    small = np.ascontiguousarray(shrink(image, _CUT_PX)[..., :3])
    sheet = fit_sheet(small)
    away = np.abs(small - sheet.paint(*small.shape[:2])).max(2)
    away = cv2.GaussianBlur(away, (0, 0), 0.7)
    sure, maybe = max(30.0, 6 * sheet.noise), max(12.0, 3.5 * sheet.noise)
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    labels[cv2.dilate((away > maybe).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0] = cv2.GC_PR_BGD
    labels[away > maybe] = cv2.GC_PR_FGD
    labels[cv2.erode((away > sure).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = cv2.GC_FGD
    if not (labels == cv2.GC_FGD).any() or not (labels == cv2.GC_BGD).any():
        return None
    cv2.setRNGSeed(0)
    cv2.grabCut(
        small[..., ::-1].copy(), labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK
    )
    # GrabCut's colour models know no light fall-off: what lies within the sheet's noise stays background.
    object_ = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)) & (away > maybe * 0.6)
    solid = _without_specks(object_.astype(np.uint8))
    if not _LEAST < solid.mean() < _MOST:
        return None
    soft = cv2.resize(solid.astype(np.float32), (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray((soft > 0.5) * 255, np.uint8)


def _without_specks(mask: Mask) -> Mask:
    """Drop islands under 2 % of the largest, and close pinholes of the same size as sensor noise."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    if count > 1:
        keep = [index for index in range(1, count) if areas[index] >= 0.02 * areas[1:].max()]
        mask = np.isin(labels, keep).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = [index for index, area in enumerate(stats[:, cv2.CC_STAT_AREA]) if index and area < 0.0003 * mask.size]
    mask[np.isin(labels, small)] = 1
    return mask
