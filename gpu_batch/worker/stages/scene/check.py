"""Stage `check`: leave out photos that cannot be used, and refuse sets that cannot become a model, before it costs."""

from worker.stages.base import Context
from worker.stages.scene.work import scene_work


def done(context: Context) -> bool:
    """True where an earlier entry passed."""
    return "usable" in context.state


def run(context: Context) -> None:
    """Set which photos are used. Raises InputError for too few, unusable or all equal photos."""
    from worker.engines.scene import photo_checks, photos

    given = scene_work(context).photos
    found = photo_checks.inspect(given, photos.find(context.folder / "photos", len(given)))
    for note in found.notes:
        context.note(note)
    context.state["usable"] = list(found.usable)
