"""Stage `preview`: one small JPEG with all pictures, for mails and lists."""

from snapforge.kit.sheets import contact_sheet
from worker.stages.base import Context
from worker.stages.image.work import pictures


def run(context: Context) -> None:
    """Write `preview.jpg`: the picture, or a contact sheet of them, at most 512 px on its longer side."""
    sheet, width, height = contact_sheet(pictures(context))
    path = context.folder / "preview.jpg"
    path.write_bytes(sheet)
    context.add_result(path, "preview", "image/jpeg", width, height)
