"""Stage `preview`: one small JPEG with all pictures, for mails and lists."""

import math

from worker.stages.base import Context
from worker.stages.image.work import pictures

_LONGEST_PX = 512
_GAP_PX = 4
_QUALITY = 82


def run(context: Context) -> None:
    """Write `preview.jpg`: the picture, or a contact sheet of them, at most 512 px on its longer side."""
    from PIL import Image

    paths = pictures(context)
    with Image.open(paths[0]) as first:
        width, height = first.size
    columns = _columns(len(paths), width, height)
    rows = math.ceil(len(paths) / columns)
    scale = min(
        (_LONGEST_PX - _GAP_PX * (columns - 1)) / (columns * width),
        (_LONGEST_PX - _GAP_PX * (rows - 1)) / (rows * height),
        1.0,
    )
    cell = max(1, int(width * scale)), max(1, int(height * scale))
    sheet = Image.new(
        "RGB",
        (columns * cell[0] + _GAP_PX * (columns - 1), rows * cell[1] + _GAP_PX * (rows - 1)),
        "white",
    )
    for index, path in enumerate(paths):
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(small, ((index % columns) * (cell[0] + _GAP_PX), (index // columns) * (cell[1] + _GAP_PX)))
    path = context.folder / "preview.jpg"
    sheet.save(path, format="JPEG", quality=_QUALITY, optimize=True)
    context.add_result(path, "preview", "image/jpeg", sheet.width, sheet.height)


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns that makes the sheet most nearly square; of two that do, the wider one."""

    def strain(columns: int) -> tuple[float, int]:
        aspect = columns * width / (math.ceil(count / columns) * height)
        return round(abs(math.log(aspect)), 6), -columns

    return min(range(1, count + 1), key=strain)
