"""A background that stands still while the object turns in front of the camera.

Its features say that the camera does not move, so poses would be wrong; and it is the same in all photos, so it can be
subtracted. The empty background is the median of the photos wherever the object does not cover it most of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worker.engines.scene.masks import MAX_SHARE, MIN_SHARE, Mask
from worker.engines.scene.masks.grabcut import refine, without_specks
from worker.engines.scene.photos import Image

LOOK_PX = 192
_RING = 0.06
_MAX_SPREAD = 6.0
"""Grey levels: a pixel that spreads less than this over the photos stands still."""
_STATIC_SHARE = 0.85
"""Share of the border that must stand still."""
_TEXTURE = 7.0
"""Grey levels: spread of the border within a photo. Of a plain one nobody could tell that it moves."""
MAX_PHOTOS = 40
"""The background is learned from at most this many photos."""


@dataclass(frozen=True)
class Backdrop:
    """The empty background, as far as it is known: colours (H, W, 3), spread over the photos (H, W), both float32."""

    colour: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]


def stands_still(greys: Sequence[npt.NDArray[np.uint8]]) -> bool:
    """Whether photos, as grey pictures (h, w) of LOOK_PX, show one textured background at the same pixels."""
    if len({grey.shape for grey in greys}) != 1:
        return False
    stack = np.stack(greys).astype(np.float32)
    ring = _ring(stack.shape[1], stack.shape[2])
    border = stack[:, ring]
    border = border - np.median(border, 1, keepdims=True)
    typical = np.median(border, 0)
    spread = np.median(np.abs(border - typical), 0) * 1.4826
    return bool((spread < _MAX_SPREAD).mean() > _STATIC_SHARE and float(typical.std()) > _TEXTURE)


def _ring(height: int, width: int) -> npt.NDArray[np.bool_]:
    edge = max(2, round(_RING * max(height, width)))
    ring = np.ones((height, width), bool)
    ring[edge:-edge, edge:-edge] = False
    return ring


def learn(smalls: Sequence[Image]) -> Backdrop:
    """The background from photos (H, W, 4) of one size, evened out in brightness by their borders."""
    ring = _ring(*smalls[0].shape[:2])
    levels = [_level(small, ring) for small in smalls]
    base = np.median(levels, 0)
    stack = np.stack([np.clip(s[..., :3] * (base / level), 0, 255) for s, level in zip(smalls, levels, strict=True)])
    stack = stack.astype(np.float32)
    colour = np.median(stack, 0)
    spread = np.median(np.abs(stack - colour), 0).max(2) * 1.4826
    return Backdrop(np.asarray(colour, np.float32), np.asarray(spread, np.float32))


def _level(small: Image, ring: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return np.asarray(np.median(small[ring][:, :3], 0) + 1.0, np.float32)


def cut(small: Image, backdrop: Backdrop) -> Mask | None:
    """What of (H, W, 4) is not the backdrop: (H, W), or None where that is nothing or everything."""
    rgb = np.ascontiguousarray(small[..., :3])
    ring = _ring(*rgb.shape[:2])
    gain = _level(np.asarray(backdrop.colour, np.uint8), ring) / _level(small, ring)
    away = cv2.GaussianBlur(np.abs(rgb * gain - backdrop.colour).max(2), (0, 0), 0.8)
    known = backdrop.spread < 2 * _MAX_SPREAD
    noise = float(np.median(backdrop.spread[ring]))
    maybe, sure = max(14.0, 4 * noise), max(34.0, 8 * noise)
    labels = np.full(rgb.shape[:2], cv2.GC_PR_FGD, np.uint8)
    labels[known & (away < maybe)] = cv2.GC_PR_BGD
    labels[known & (cv2.dilate(away, np.ones((9, 9), np.uint8)) < maybe)] = cv2.GC_BGD
    labels[known & (cv2.erode(away, np.ones((3, 3), np.uint8)) > sure)] = cv2.GC_FGD
    found = refine(rgb, labels, 3)
    if found is None:
        return None
    closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    solid = without_specks(np.asarray(closed, np.uint8))
    return np.asarray(solid * np.uint8(255)) if MIN_SHARE < solid.mean() < MAX_SHARE else None
