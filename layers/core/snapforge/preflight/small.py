"""Small grey copies of photos, as files that need no codec."""

import io
from pathlib import Path

from PIL import Image

BUDGET_PX = 36_000_000
"""Pixels of all copies together: about 18 s of features on two cores."""
LARGEST_SIDE = 1000
"""As the worker looks at a draft."""
SMALLEST_SIDE = 480
"""Below it hard photos do not connect any more."""
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")


def side_for(sizes: list[tuple[int, int]]) -> int:
    """The longest side (px) of the copies of photos of these sizes (width, height) that stays within the budget."""
    if not sizes:
        return LARGEST_SIDE
    per_square = sum(min(size) / max(size) for size in sizes)
    side = int((BUDGET_PX / per_square) ** 0.5)
    return max(SMALLEST_SIDE, min(LARGEST_SIDE, side))


def write_copy(body: bytes, side: int, path: Path) -> float:
    """Write the photo in `body` as a grey PGM of at most `side` px; returns by how much it was made smaller (0..1].

    Raises what Pillow raises for bytes that are no picture.
    """
    with Image.open(io.BytesIO(body), formats=_FORMATS) as opened:
        longest = max(opened.size)
        opened.draft("RGB", (side, side))
        grey = _grey(opened)
    grey.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    # By hand: the file is read by another library, and plain bytes are all that both need to agree on.
    path.write_bytes(b"P5\n%d %d\n255\n" % grey.size + grey.tobytes())
    return max(grey.size) / longest


def _grey(image: Image.Image) -> Image.Image:
    """Clear pixels become an even grey, in which no feature is found."""
    if "A" not in image.getbands():
        return image.convert("L")
    paper = Image.new("RGBA", image.size, (128, 128, 128, 255))
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("L")
