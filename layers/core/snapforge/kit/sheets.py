"""Contact sheets: one small picture of several, for mails and lists."""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

LONGEST_PX = 512
GAP_PX = 4
_QUALITY = 82


def contact_sheet(pictures: Sequence[Path | IO[bytes]]) -> tuple[bytes, int, int]:
    """A JPEG of the picture, or of all of them on white, at most LONGEST_PX on its longer side; with width and height.

    All pictures have the size of the first.
    """
    from PIL import Image

    with Image.open(pictures[0]) as first:
        width, height = first.size
    columns = _columns(len(pictures), width, height)
    rows = math.ceil(len(pictures) / columns)
    scale = min(
        (LONGEST_PX - GAP_PX * (columns - 1)) / (columns * width),
        (LONGEST_PX - GAP_PX * (rows - 1)) / (rows * height),
        1.0,
    )
    sheet = grid(_opened(pictures), len(pictures), columns, (max(1, int(width * scale)), max(1, int(height * scale))))
    out = io.BytesIO()
    sheet.save(out, format="JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue(), sheet.width, sheet.height


def grid(pictures: "Iterable[Picture]", count: int, columns: int, cell: tuple[int, int]) -> "Picture":
    """`count` pictures row by row on white, each brought to `cell` (width, height in pixels), gaps between them."""
    from PIL import Image

    step = cell[0] + GAP_PX, cell[1] + GAP_PX
    sheet = Image.new("RGB", (columns * step[0] - GAP_PX, math.ceil(count / columns) * step[1] - GAP_PX), "white")
    for index, picture in enumerate(pictures):
        small = picture.convert("RGB").resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(small, (index % columns * step[0], index // columns * step[1]))
    return sheet


def _opened(sources: Sequence[Path | IO[bytes]]) -> "Iterator[Picture]":
    """One at a time: sixteen large pictures are not held at once."""
    from PIL import Image

    for source in sources:
        with Image.open(source) as picture:
            yield picture


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns that makes the sheet most nearly square; of two that do, the wider one."""

    def strain(columns: int) -> tuple[float, int]:
        aspect = columns * width / (math.ceil(count / columns) * height)
        return round(abs(math.log(aspect)), 6), -columns

    return min(range(1, count + 1), key=strain)
