"""Stage `load`: bring the model's weights here and into memory."""

from functools import lru_cache
from pathlib import Path

from worker.engines.base import Device, ImageEngine, choose, load_image_engine, model_family
from worker.stages.base import Context
from worker.stages.image.work import image_work
from worker.weights import model_folder


def run(context: Context) -> None:
    """Load the engine, so that `draw` has it at hand."""
    engine_of(context)


def engine_of(context: Context) -> ImageEngine:
    """The engine with the job's model. Loaded once a process."""

    def told(share: float) -> None:
        context.check_interrupted()
        context.progress(0.5 * share, "Fetching the model")

    folder = model_folder(image_work(context).model, told)
    context.check_interrupted()
    engine = _loaded(folder, context.device, context.reduced)
    context.state["engine"] = engine.name
    for text in engine.notes:
        context.note(text)
    return engine


@lru_cache(maxsize=1)
def _loaded(folder: Path, device: Device, reduced: bool) -> ImageEngine:
    return load_image_engine(choose("text-to-image", model_family(folder)), folder, device, reduced=reduced)
