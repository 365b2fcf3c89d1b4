"""The customer's photos as they lie in the folder: reading them, and refusing what cannot work."""

import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from snapforge.contracts.manifest import Photo
from worker.errors import InputError

Image = npt.NDArray[np.uint8]

MIN_PHOTOS = 8
_SAME = 1.2
"""Mean grey-level difference of 32-pixel thumbnails under which two photos show the same view."""


def find(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Paths of photos 0 … count-1 in `folder`, whatever their suffix."""
    found = {path.stem: path for path in folder.iterdir()}
    return [found[f"{index:03d}"] for index in range(count)]


def read(path: pathlib.Path) -> Image:
    """Pixels (H, W, 4), RGBA; opaque where the file has no alpha.

    Raises:
        InputError: `photo_unreadable`.
    """
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if raw is None or raw.dtype != np.uint8:
        raise InputError("photo_unreadable", f"{path.name} cannot be read as a picture.", "Upload the photo again.")
    match raw.ndim, raw.shape[-1]:
        case 2, _:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_GRAY2RGBA), np.uint8)
        case 3, 4:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGRA2RGBA), np.uint8)
        case _:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGBA), np.uint8)


def write(path: pathlib.Path, image: Image) -> None:
    """Write RGBA (H, W, 4), RGB (H, W, 3) or grey (H, W) as PNG; fast rather than small."""
    if image.ndim == 3:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR))
    if not cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"cannot write {path.name}")


def shrink(image: Image, longest: int) -> Image:
    """The image with its longer side at most `longest`, area-averaged; colours of clear pixels do not bleed in."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    if image.ndim < 3 or image.shape[2] < 4 or image[..., 3].min() == 255:
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    weight = image[..., 3:].astype(np.float32) / 255
    both = cv2.resize(np.concatenate([image[..., :3] * weight, weight], 2), size, interpolation=cv2.INTER_AREA)
    colour = both[..., :3] / np.maximum(both[..., 3:], 1e-3)
    return np.asarray(np.concatenate([colour, both[..., 3:] * 255], 2).clip(0, 255).round(), np.uint8)


def check(photos: Sequence[Photo], paths: Sequence[pathlib.Path]) -> None:
    """Refuse sets that cannot become a model, before anything costs.

    Raises:
        InputError: `too_few_photos`, `photo_unreadable`, `photos_all_equal`.
    """
    if len(photos) < MIN_PHOTOS:
        raise InputError(
            "too_few_photos",
            f"{len(photos)} photo(s) were given; a model needs at least {MIN_PHOTOS}.",
            "Walk once round the object and take 25 to 60 photos, each overlapping the one before.",
        )
    thumbs = np.stack([_thumb(path) for path in paths])
    distinct: list[int] = []
    for index, thumb in enumerate(thumbs):
        if all(np.abs(thumb - thumbs[other]).mean() > _SAME for other in distinct):
            distinct.append(index)
    if len(distinct) < MIN_PHOTOS:
        raise InputError(
            "photos_all_equal",
            f"Only {len(distinct)} of {len(photos)} photos differ from each other.",
            "Take photos from different sides: move the camera between photos.",
        )


def _thumb(path: pathlib.Path) -> npt.NDArray[np.float32]:
    rgba = read(path)
    grey = cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY)
    return np.asarray(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA), np.float32)
