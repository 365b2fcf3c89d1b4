"""GrabCut (Rother, Kolmogorov and Blake 2004) as opencv has it, made deterministic; and cleaning up after it."""

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene.masks import Mask
from worker.engines.scene.photos import Image


def refine(rgb: Image, labels: npt.NDArray[np.uint8], rounds: int) -> npt.NDArray[np.bool_] | None:
    """The object's pixels (H, W) by colour, from labels GC_BGD, GC_FGD, GC_PR_BGD, GC_PR_FGD (H, W).

    None where the labels name no object or no background: there is nothing to learn colours from.
    """
    on = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    # Each side's five Gaussians need pixels.
    if min(int(on.sum()), int((~on).sum())) < 10:
        return None
    cv2.setRNGSeed(0)
    part = _open(labels)
    made = labels.copy()
    inner = np.ascontiguousarray(made[part])
    bgr = np.ascontiguousarray(rgb[part][..., 2::-1])
    cv2.grabCut(bgr, inner, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    made[part] = inner
    return np.asarray(np.isin(made, (cv2.GC_FGD, cv2.GC_PR_FGD)))


def _open(labels: npt.NDArray[np.uint8]) -> tuple[slice, slice]:
    """The part of the picture that holds all that is not background for sure, with as much background round it."""
    rows, columns = np.flatnonzero((labels != cv2.GC_BGD).any(1)), np.flatnonzero((labels != cv2.GC_BGD).any(0))
    edge = max(8, (len(rows) + len(columns)) // 6)
    return (
        slice(max(0, int(rows[0]) - edge), int(rows[-1]) + edge + 1),
        slice(max(0, int(columns[0]) - edge), int(columns[-1]) + edge + 1),
    )


def without_specks(mask: Mask) -> Mask:
    """Of a mask of 0 and 1: islands under 2 % of the largest dropped, pinholes of the size of sensor noise closed."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    if count > 1:
        keep = [index for index in range(1, count) if areas[index] >= 0.02 * areas[1:].max()]
        mask = np.isin(labels, keep).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = [index for index, area in enumerate(stats[:, cv2.CC_STAT_AREA]) if index and area < 0.0003 * mask.size]
    mask[np.isin(labels, small)] = 1
    return mask
