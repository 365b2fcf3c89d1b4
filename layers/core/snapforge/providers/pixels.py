"""A provider's bytes to a picture of ours: decoded, measured, written anew, so that nothing else comes along."""

import io

from snapforge.providers import base
from snapforge.providers.base import PictureRequest

FORMATS = ("PNG", "JPEG", "WEBP")


def png(name: str, data: bytes, request: PictureRequest) -> bytes:
    """The picture as an RGB PNG without metadata. ProviderError where it is no picture, or not of the wished size."""
    from PIL import Image

    try:
        # The header first: no pixel is allocated for a size that nobody asked for.
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            size = opened.size
            if size == (request.width, request.height):
                pixels = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise base.wrong_answer(name, f"no picture: {error!r}") from error
    if size != (request.width, request.height):
        raise base.wrong_answer(name, f"{size[0]}x{size[1]}, not {request.width}x{request.height}")
    fresh = Image.new("RGB", size)
    fresh.paste(pixels)
    out = io.BytesIO()
    fresh.save(out, "PNG")
    return out.getvalue()
