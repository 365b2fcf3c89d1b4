"""Photos for training: decoded, cropped to the nearest aspect ratio and brought to the model's size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Pixels = npt.NDArray[np.uint8]
"""(height, width, 3), sRGB."""

MIN_SIDE_PX = 64


def decode(path: Path) -> Pixels:
    """One photo, upright, on white where it is transparent. Raises OSError or ValueError where it cannot be read."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            shown = upright.convert("RGBA")
            white = Image.new("RGBA", shown.size, "white")
            upright = Image.alpha_composite(white, shown)
        pixels = np.asarray(upright.convert("RGB"))
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise ValueError(f"it is only {pixels.shape[1]}x{pixels.shape[0]} px")
    return pixels


def buckets(size: int, multiple: int) -> list[tuple[int, int]]:
    """(height, width) of about size x size pixels in common aspect ratios; sides are multiples of `multiple`."""
    from importlib import import_module

    training: Any = import_module("diffusers.training_utils")
    found: list[tuple[int, int]] = training.generate_aspect_ratio_buckets(size, divisibility=multiple)
    return found


def fit(pixels: Pixels, sizes: Sequence[tuple[int, int]]) -> Pixels:
    """Scale to the bucket of the nearest aspect ratio, cutting evenly what sticks out."""
    height, width = pixels.shape[:2]
    tall, wide = min(sizes, key=lambda size: abs(np.log((size[1] / size[0]) / (width / height))))
    return np.asarray(ImageOps.fit(Image.fromarray(pixels), (wide, tall), Image.Resampling.LANCZOS))
