"""Contact sheets: one small picture of several, for mails and lists."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO

LONGEST_PX = 512
_GAP_PX = 4
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
        (LONGEST_PX - _GAP_PX * (columns - 1)) / (columns * width),
        (LONGEST_PX - _GAP_PX * (rows - 1)) / (rows * height),
        1.0,
    )
    cell = max(1, int(width * scale)), max(1, int(height * scale))
    sheet = Image.new(
        "RGB",
        (columns * cell[0] + _GAP_PX * (columns - 1), rows * cell[1] + _GAP_PX * (rows - 1)),
        "white",
    )
    for index, source in enumerate(pictures):
        with Image.open(source) as picture:
            small = picture.convert("RGB").resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(small, ((index % columns) * (cell[0] + _GAP_PX), (index // columns) * (cell[1] + _GAP_PX)))
    out = io.BytesIO()
    sheet.save(out, format="JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue(), sheet.width, sheet.height


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns that makes the sheet most nearly square; of two that do, the wider one."""

    def strain(columns: int) -> tuple[float, int]:
        aspect = columns * width / (math.ceil(count / columns) * height)
        return round(abs(math.log(aspect)), 6), -columns

    return min(range(1, count + 1), key=strain)
