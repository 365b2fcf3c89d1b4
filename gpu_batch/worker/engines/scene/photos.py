"""The customer's photos as they lie in the folder: reading, writing and shrinking them, one at a time."""

import pathlib

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from worker.errors import InputError

Image = npt.NDArray[np.uint8]

MIN_PHOTOS = 8


def find(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Paths of photos 0 … count-1 in `folder`, whatever their suffix."""
    found = {path.stem: path for path in folder.iterdir()}
    return [found[f"{index:03d}"] for index in range(count)]


def size(path: pathlib.Path) -> tuple[int, int]:
    """Width and height, from the header alone.

    Raises:
        InputError: `photo_unreadable`.
    """
    try:
        with Pillow.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError, Pillow.DecompressionBombError) as error:
        raise _unreadable(path) from error


def read(path: pathlib.Path) -> Image:
    """Pixels (H, W, 4), RGBA; opaque where the file has no alpha.

    Raises:
        InputError: `photo_unreadable`.
    """
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if raw is None or raw.dtype != np.uint8:
        raise _unreadable(path)
    match raw.ndim, raw.shape[-1]:
        case 2, _:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_GRAY2RGBA), np.uint8)
        case 3, 4:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGRA2RGBA), np.uint8)
        case _:
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGBA), np.uint8)


def read_small(path: pathlib.Path, longest: int) -> Image:
    """As `read`, with the longer side at most `longest`. A JPEG is decoded at an eighth, a quarter or half of its size.

    Stricter than `read`: a file that ends too early is refused, not filled with grey.

    Raises:
        InputError: `photo_unreadable`.
    """
    try:
        with Pillow.open(path) as picture:
            # draft() takes the smallest scale that is not under the size asked for.
            share = min(1.0, longest / max(picture.size))
            picture.draft("RGB", (max(1, int(picture.width * share)), max(1, int(picture.height * share))))
            opaque = picture.mode in ("L", "RGB") and "transparency" not in picture.info
            pixels = np.asarray(picture.convert("RGB" if opaque else "RGBA"), np.uint8)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise _unreadable(path) from error
    small = shrink(pixels, longest)
    if not opaque:
        return small
    return np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])


def _unreadable(path: pathlib.Path) -> InputError:
    return InputError("photo_unreadable", f"{path.name} cannot be read as a picture.", "Upload the photo again.")


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
