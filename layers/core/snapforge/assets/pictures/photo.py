"""A photo as it came → its working copy, thumbnail and facts."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapforge.assets.domain import Facts
from snapforge.assets.pictures import colour, lens, measures, opening, writing
from snapforge.assets.pictures.writing import Written

if TYPE_CHECKING:
    from PIL.Image import Image

TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF orientation → what sets it upright."""
SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is kept of a photo that can be used."""

    working: Written
    thumbnail: Written
    facts: Facts


def prepare(data: bytes) -> Prepared:
    """Check, turn, convert and measure a photo. Raises opening.Refused. About 1 s for 12 megapixels."""
    opened = opening.open_picture(data)
    found_lens, relative_focal = lens.read_lens(opened.image, opened.size)
    upright = to_upright_srgb(opened.image, opening.WORKING_SIDE)
    width, height = opened.size[::-1] if lens.orientation(opened.image) in SIDEWAYS else opened.size
    found = measures.measure(upright)
    facts = Facts(
        media_type=opened.media_type,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        original_width=width,
        original_height=height,
        width=upright.width,
        height=upright.height,
        alpha=upright.mode == "RGBA",
        focal_px=None if relative_focal is None else round(relative_focal * max(upright.size), 2),
        lens=found_lens,
        sharpness=found.sharpness,
        mean=found.mean,
        clipped_dark=found.clipped_dark,
        clipped_bright=found.clipped_bright,
        phash=found.phash,
    )
    return Prepared(writing.working_copy(upright), writing.thumbnail(upright), facts)


def to_upright_srgb(image: "Image", side: int) -> "Image":
    """An opened picture, turned as its EXIF says, in sRGB, its longest side at most `side` pixels."""
    from PIL.Image import Transpose

    profile, turn = image.info.get("icc_profile"), lens.orientation(image)
    # Smaller first: the colour conversion then has less to do.
    small = writing.fitted(_smooth(colour.eight_bits(image)), side)
    converted = colour.to_srgb(small, profile)
    return converted.transpose(Transpose[TURNS[turn]]) if turn in TURNS else converted


def _smooth(image: "Image") -> "Image":
    """Palettes, bits and colour keys cannot be resized smoothly."""
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode == "P" else image
