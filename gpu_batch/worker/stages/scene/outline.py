"""Stage `outline`: the object's masks once the cameras are known. Rewrites `views/`."""

from worker.stages.base import Context
from worker.stages.scene.work import progress_reporter, scene_work

_NO_OUTLINE = (
    "The object could not be told from its surroundings, so the model holds whatever lies in the box round it."
)


def done(context: Context) -> bool:
    """True where `views/`, which the stage before restored, already has these masks."""
    return bool(context.state.get("outlined"))


def run(context: Context) -> None:
    """Hold the masks against each other, or make them from the sparse cloud where there are none."""
    from worker.engines.scene import views
    from worker.engines.scene.masks import outline

    report_progress = progress_reporter(context)
    capture = views.load(context.folder)
    # Alpha is the customer's own word; and an outline would cut off the floor that the customer wants to keep.
    kept = capture.masks == "none" and scene_work(context).floor == "keep"
    if capture.masks != "alpha" and not kept:
        found = outline.outline(
            context.folder, capture, lambda share: report_progress(share, "Outlines from the geometry")
        )
        if found is None and capture.masks == "none":
            context.note(_NO_OUTLINE)
        if found is not None and found.misplaced:
            context.note(f"Left out, because the outlines contradict the camera's place: {', '.join(found.misplaced)}.")
            context.state["registered"] = len(found.capture.views)
        if found is not None and found.changed and capture.masks != "none":
            context.note(f"The outlines of {found.changed} photo(s) disagreed with the others and were drawn again.")
    context.state["outlined"] = True
    context.checkpoint("views", context.folder / "views")
