"""What the image stages share: the typed work order, its adapters, and the names of pictures."""

from pathlib import Path

from snapforge.contracts.manifest import ImageWork
from worker.adapters import name_of, path_of, working
from worker.engines.base import Adapter
from worker.errors import BugError
from worker.stages.base import Context


def image_work(context: Context) -> ImageWork:
    """The work order of an image job."""
    if not isinstance(context.work, ImageWork):
        raise BugError("wrong_kind", f"An image stage was given {context.work.kind} work.")
    return context.work


def adapters(context: Context) -> tuple[Adapter, ...]:
    """The LoRA adapters of the job, as files that the frame has fetched."""
    return tuple(
        Adapter(name_of(ref), ref.sha256, path_of(ref, context.folder), ref.weight)
        for ref in working(image_work(context))
    )


def picture_name(index: int) -> str:
    """The file name of picture `index`, also its checkpoint's name."""
    return f"picture-{index:02d}.png"


def pictures(context: Context) -> list[Path]:
    """The paths of all pictures of the job, in order."""
    return [context.folder / picture_name(index) for index in range(image_work(context).count)]
