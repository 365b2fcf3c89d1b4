"""Stage `masks`: which pixels show the object, before the poses are known. Writes `masks/` where that can be told."""

from typing import TYPE_CHECKING

from worker.stages.base import Context
from worker.stages.scene import poses
from worker.stages.scene.work import mask_store, photo_paths, progress_reporter

if TYPE_CHECKING:
    from worker.engines.scene.masks.segmenter import Segmenter


def done(context: Context) -> bool:
    """True where the masks are back, or the stage after this one is through."""
    return "masks" in context.state and (
        poses.done(context) or not context.state["masked"] or context.restore("masks", context.folder / "masks")
    )


def run(context: Context) -> None:
    """Make the masks of the kind that fits the photos."""
    from worker.engines.scene.masks import initial

    report_progress, store = progress_reporter(context), mask_store(context)
    made = initial.make(
        photo_paths(context), store, _segmenter(context), lambda share: report_progress(share, "Outlines")
    )
    for note in made.notes:
        context.note(note)
    context.state.update(masks=made.kind, masked=store.made)
    if store.made:
        context.checkpoint("masks", store.folder)


def _segmenter(context: Context) -> "Segmenter | None":
    """The model of the weights folder, if there is one."""
    from worker.weights import find_model

    report_progress = progress_reporter(context)
    folder = find_model(
        "segmentation", "segmentation.json", lambda share: report_progress(0.0, "Loading the segmentation model")
    )
    if folder is None:
        return None
    from worker.engines.scene.masks import segmenter

    return segmenter.load(folder, context.device)
