"""Bytes of unknown origin to a decoded picture, or a refusal.

No pixel is allocated before the size that the header claims is known.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from snapforge.assets import refusals
from snapforge.assets.refusals import MAX_PIXELS, MIN_SIDE, Refusal

if TYPE_CHECKING:
    from PIL.Image import Image

WORKING_SIDE = 4096
"""Pixels, the longest side of a working copy."""

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a JPEG with a second picture behind it (depth, gain map); phones write it
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
KNOWN_STRANGERS = ("GIF", "TIFF", "BMP")
"""Opened only to say what they are."""
STILL = frozenset({"MPO", "HEIF"})
"""Several pictures in one file, but no animation: the first is the photo."""

UNDECODABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,  # AVIF's and HEIC's own
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise for damaged files, as a fuzz of all formats found."""


class Refused(Exception):
    """The file is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded picture, not yet turned or converted. It may have been decoded smaller than it is."""

    image: "Image"
    media_type: str
    size: tuple[int, int]
    """Of the file, as stored (before its orientation is applied)."""


@cache
def prepare() -> None:
    """Set the decoders' limits, once per process. They hold for everything that Pillow opens in it."""
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def open_picture(data: bytes, *, side: int = WORKING_SIDE) -> Opened:
    """Decode a still picture. Raises Refused.

    `side`: a JPEG may be decoded at a fraction as long as its longest side stays at least that many pixels.
    """
    prepare()
    image = _header(data)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Refused(refusals.too_many_pixels())
    if min(width, height) < MIN_SIDE:
        raise Refused(refusals.picture_too_small(width, height))
    with _guarded():
        moves = image.format not in STILL and getattr(image, "is_animated", False)
    if moves:
        raise Refused(refusals.picture_animated())
    media_type = MEDIA_TYPES.get(image.format or "")
    if media_type is None:
        raise Refused(refusals.media_type_unsupported(image.format or "This format"))
    with _guarded():
        _decode(image, side)
    return Opened(image, media_type, (width, height))


@contextmanager
def _guarded() -> Iterator[None]:
    """What the decoders raise, as refusals."""
    from PIL import Image

    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(refusals.too_many_pixels()) from error
    except UNDECODABLE as error:
        raise Refused(refusals.picture_damaged()) from error


def _header(data: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError

    with _guarded():
        try:
            return Image.open(io.BytesIO(data), formats=(*FORMATS, *KNOWN_STRANGERS))
        except UnidentifiedImageError as error:
            raise Refused(_unreadable(data)) from error


def _decode(image: "Image", side: int) -> None:
    longest = max(image.size)
    if image.format in {"JPEG", "MPO"} and longest > side:
        image.draft(None, (image.width * side // longest, image.height * side // longest))
    image.load()


def _unreadable(data: bytes) -> Refusal:
    """A picture cut off in its header, or no picture at all?"""
    begins_as_picture = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or data[4:8] == b"ftyp"
    )
    return refusals.picture_damaged() if begins_as_picture else refusals.not_a_picture()
