"""What the scene's stages share: the typed work order, the sizes, the photos' paths, the masks."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from snapforge.contracts.manifest import Photo, SceneWork
from worker.errors import BugError
from worker.stages.base import Context

if TYPE_CHECKING:
    from worker.engines.scene.masks.store import Masks
    from worker.engines.scene.presets import Settings


def scene_work(context: Context) -> SceneWork:
    """The work order, known to be a scene's."""
    if not isinstance(context.work, SceneWork):
        raise BugError("wrong_kind", f"A scene's stage was given {context.work.kind} work.")
    return context.work


def settings(context: Context) -> "Settings":
    """The sizes for this preset and device."""
    from worker.engines.scene.presets import settings as lookup

    return lookup(scene_work(context).preset, context.device, context.reduced)


def used_photos(context: Context) -> list[Photo]:
    """The photos that the stage `check` let pass; from here on photo i is the i-th of these."""
    given = scene_work(context).photos
    return [given[index] for index in context.state["usable"]]


def photo_paths(context: Context) -> list[Path]:
    """Paths of `used_photos`."""
    from worker.engines.scene.photos import find

    paths = find(context.folder / "photos", len(scene_work(context).photos))
    return [paths[index] for index in context.state["usable"]]


def mask_store(context: Context) -> "Masks":
    """The masks by photo number, as the stage `masks` leaves them."""
    from worker.engines.scene.masks.store import Masks

    return Masks(context.folder / "masks", photo_paths(context))


class ReportProgress(Protocol):
    """Progress within a stage, 0 to 1, with words."""

    def __call__(self, share: float, message: str = "") -> None:
        """May raise to stop the stage."""


def progress_reporter(context: Context) -> ReportProgress:
    """Progress within the stage, which also stops the stage when the process has to stop."""

    def report_progress(share: float, message: str = "") -> None:
        context.check_interrupted()
        context.progress(share, message)

    return report_progress
