"""Pictures written anew from their pixels: no metadata can come along, because none is carried."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

WORKING_QUALITY = 92
DELIVERY_SIDE = 2048
THUMBNAIL_SIDE = 320
WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Written:
    """An encoded picture."""

    body: bytes
    media_type: str
    width: int
    height: int


def bare(image: "Image") -> "Image":
    """The same pixels in a new picture: a plain save would keep a comment, an ICC profile, transparency notes."""
    from PIL import Image

    fresh = Image.new(image.mode, image.size)
    fresh.paste(image)
    return fresh


def fitted(image: "Image", side: int) -> "Image":
    """The picture with its longest side at most `side` pixels; never enlarged."""
    from PIL import Image

    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def working_copy(image: "Image") -> Written:
    """A JPEG that keeps colour detail for the texture (4:4:4), or a PNG where there is alpha."""
    if image.mode == "RGBA":
        return _save(image, "PNG", "image/png", compress_level=3)
    return _save(image, "JPEG", "image/jpeg", quality=WORKING_QUALITY, subsampling=0)


def thumbnail(image: "Image") -> Written:
    """320 px JPEG on white."""
    return _save(_opaque(fitted(image, THUMBNAIL_SIDE)), "JPEG", "image/jpeg", quality=82, optimize=True)


def variants(image: "Image") -> dict[str, Written]:
    """The forms in which an sRGB picture is delivered: `jpeg`, `webp`, `avif` (at most 2048 px) and `thumbnail`."""
    image = fitted(image, DELIVERY_SIDE)
    return {
        "jpeg": _save(_opaque(image), "JPEG", "image/jpeg", quality=88, optimize=True, progressive=True),
        "webp": _save(image, "WEBP", "image/webp", quality=84, method=4),
        "avif": _save(image, "AVIF", "image/avif", quality=70, speed=7, max_threads=2),
        "thumbnail": thumbnail(image),
    }


def _opaque(image: "Image") -> "Image":
    from PIL import Image

    if image.mode != "RGBA":
        return image
    flat = Image.new("RGB", image.size, WHITE)
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def _save(image: "Image", form: str, media_type: str, **options: int) -> Written:
    out = io.BytesIO()
    bare(image).save(out, form, **options)
    return Written(out.getvalue(), media_type, image.width, image.height)
