"""Stage `check`: refuse photos that cannot become a model, before anything costs."""

from worker.stages.base import Context
from worker.stages.scene.work import photo_paths, scene_work


def done(context: Context) -> bool:
    """True where an earlier entry passed."""
    return bool(context.state.get("checked"))


def run(context: Context) -> None:
    """Raise InputError for too few, unreadable or all equal photos."""
    from worker.engines.scene import photos

    photos.check(scene_work(context).photos, photo_paths(context))
    context.state["checked"] = True
