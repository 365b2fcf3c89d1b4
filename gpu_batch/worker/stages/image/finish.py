"""The last that happens to a picture before it is kept. Content credentials (C2PA) will be signed here: sign last."""

from pathlib import Path
from typing import Any

_LEVEL = 6
"""zlib's effort."""


def write(picture: Any, path: Path) -> None:
    """Write a `PIL.Image.Image` as PNG, whole or not at all.

    The pixels alone: the parameters are in result.json, and a shared picture must not tell the prompt.
    """
    unfinished = path.with_suffix(".part")
    picture.save(unfinished, format="PNG", compress_level=_LEVEL)
    unfinished.replace(path)
