"""Stage `preview`: the model on a turntable, `preview.webp` (animated) and `preview.png` (still)."""

from worker.stages.base import Context
from worker.stages.scene.work import progress_reporter, settings


def run(context: Context) -> None:
    """Draw the turntable; the still shows the side that the first photo shows."""
    from worker.engines.scene import texture, turntable, views

    sizes, report_progress = settings(context), progress_reporter(context)
    facing = views.front(views.load(context.folder))
    animation, still = context.folder / "preview.webp", context.folder / "preview.png"
    turntable.write(
        animation, still, texture.load(context.folder), sizes.preview_px, sizes.preview_frames, facing, report_progress
    )
    context.add_result(still, "preview", "image/png", sizes.preview_px, sizes.preview_px)
    context.add_result(animation, "preview", "image/webp", sizes.preview_px, sizes.preview_px)
