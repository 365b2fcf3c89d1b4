"""What the stages of a training share: the typed work order, the photos in use, the base model."""

from pathlib import Path
from typing import TYPE_CHECKING

from snapforge.contracts.manifest import LoraWork
from worker.errors import BugError
from worker.stages.base import Context
from worker.weights import model_folder

if TYPE_CHECKING:
    from worker.engines.lora.families import Family
    from worker.engines.lora.photos import Pixels


def lora_work(context: Context) -> LoraWork:
    """The work order of a training."""
    if not isinstance(context.work, LoraWork):
        raise BugError("wrong_kind", f"A stage of a training was given {context.work.kind} work.")
    return context.work


def photo_path(context: Context, index: int) -> Path:
    """Where `fetch` put a photo."""
    return next((context.folder / "photos").glob(f"{index:03d}.*"))


def used_photos(context: Context) -> "list[Pixels]":
    """The photos that `check` found usable, decoded."""
    from worker.engines.lora import photos

    return [photos.decode(photo_path(context, index)) for index in context.state["used"]]


def base_folder(context: Context) -> Path:
    """The base model's folder, fetched if need be."""

    def on_progress(share: float) -> None:
        context.check_interrupted()
        context.progress(0.5 * share, "Fetching the model")

    return model_folder(lora_work(context).model, on_progress)


def family(context: Context) -> "Family":
    """The base model's family. Raises InputError where its adapters cannot be trained."""
    from worker.engines.base import model_family
    from worker.engines.lora.families import family_of

    return family_of(model_family(base_folder(context)))
