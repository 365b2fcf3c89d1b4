"""What EXIF tells of the lens. The position (GPS) is never read."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from snapforge.assets.domain import Lens

if TYPE_CHECKING:
    from PIL.Image import Image

FULL_FRAME_DIAGONAL = math.hypot(36, 24)
"""Millimetres. 35 mm equivalents compare diagonals (CIPA DCG-001)."""
MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""Of FocalPlaneResolutionUnit: inch, centimetre, millimetre, micrometre."""

EXIF_IFD = 0x8769
MAKE, MODEL, ORIENTATION = 0x010F, 0x0110, 0x0112
FOCAL, FOCAL_35 = 0x920A, 0xA405
PLANE_X, PLANE_UNIT = 0xA20E, 0xA210
PIXELS_X, ZOOM = 0xA002, 0xA404
TAKEN, OFFSET = 0x9003, 0x9011


def read_lens(image: "Image", size: tuple[int, int]) -> tuple[Lens, float | None]:
    """What EXIF says, and the focal length as a multiple of the picture's longest side (None where unknown).

    `size`: pixels of the file as stored. Broken EXIF is no reason to refuse a photo: what cannot be read is unknown.
    """
    tags = _tags(image)
    lens = Lens(
        make=_text(tags.get(MAKE)),
        model=_text(tags.get(MODEL)),
        focal_mm=_number(tags.get(FOCAL)),
        focal_35mm=_number(tags.get(FOCAL_35)),
        taken_at=_moment(_text(tags.get(TAKEN)), _text(tags.get(OFFSET))),
    )
    return lens, _plausible(_by_focal_plane(tags, lens, size) or _by_equivalent(lens, size))


def orientation(image: "Image") -> int:
    """EXIF's orientation, 1..8; 1 is upright."""
    value = _tags(image).get(ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _tags(image: "Image") -> dict[int, Any]:
    try:
        exif = image.getexif()
        return dict(exif) | exif.get_ifd(EXIF_IFD)
    except (ValueError, SyntaxError, OSError, KeyError, IndexError, TypeError, ArithmeticError):
        return {}


def _by_focal_plane(tags: dict[int, Any], lens: Lens, size: tuple[int, int]) -> float | None:
    """From the sensor's pixel pitch: exact, unless the camera cropped (digital zoom) or a program resized the file."""
    pitch = _number(tags.get(PLANE_X))
    unit = MILLIMETRES.get(tags.get(PLANE_UNIT, 2))
    if lens.focal_mm is None or pitch is None or unit is None or (_number(tags.get(ZOOM)) or 1.0) > 1.0:
        return None
    # A resized file keeps the tags of the one it was made of, whose width stands in PixelXDimension.
    taken_width = _number(tags.get(PIXELS_X)) or size[0]
    return lens.focal_mm / unit * pitch * (size[0] / taken_width) / max(size)


def _by_equivalent(lens: Lens, size: tuple[int, int]) -> float | None:
    if lens.focal_35mm is None:
        return None
    return lens.focal_35mm / FULL_FRAME_DIAGONAL * math.hypot(*size) / max(size)


def _plausible(relative: float | None) -> float | None:
    """A tenth of the longest side is a fisheye, thirty times a telescope; beyond, the tags lie."""
    return relative if relative is not None and 0.1 < relative < 30 else None


def _number(value: Any) -> float | None:
    """A positive finite number; EXIF rationals may be 0/0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = "".join(letter for letter in value if letter.isprintable()).strip()[:100]
    return text or None


def _moment(taken: str | None, offset: str | None) -> str | None:
    try:
        moment = datetime.strptime(f"{taken}", "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - a camera's clock has no zone
    except ValueError:
        return None
    if offset:
        try:
            return datetime.fromisoformat(moment.isoformat() + offset).isoformat()
        except ValueError:
            pass
    return moment.isoformat()
