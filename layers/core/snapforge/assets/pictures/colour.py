"""Any colour space to sRGB, 8 bit, RGB or RGBA."""

import io
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
"""Pillow's mode → the colour space that a fitting ICC profile names."""


def to_srgb(image: "Image", profile: bytes | None) -> "Image":
    """The picture in sRGB: RGB, or RGBA where any pixel is transparent.

    `profile`: its embedded ICC profile. One that is broken or of another colour space is ignored, as browsers do.
    """
    image = eight_bits(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    elif image.mode not in SPACES:
        image = image.convert("RGB")
    converted = _by_profile(image, profile) if profile else None
    image = converted if converted is not None else image.convert("RGB")
    if alpha is not None and alpha.getextrema()[0] < 255:  # type: ignore[operator]
        image.putalpha(alpha)
    return image


def eight_bits(image: "Image") -> "Image":
    """16-bit grey to 8 bits by its high byte; Pillow's own conversion clips. Other modes as they are."""
    if not image.mode.startswith("I"):
        return image
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))


def _by_profile(image: "Image", profile: bytes) -> "Image | None":
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[image.mode]:
            return None
        return ImageCms.profileToProfile(
            image,
            source,
            _srgb(),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


@cache
def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")
