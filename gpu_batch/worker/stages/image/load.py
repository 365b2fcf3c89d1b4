"""Stage `load`: bring the model's weights here and into memory."""

from collections.abc import Callable

from worker.engines.base import ImageEngine, choose, device, load_image_engine, model_family, release
from worker.stages.base import Context
from worker.stages.image.work import image_work
from worker.weights import model_folder

OnProgress = Callable[[float], None]
"""Called with the share (0 to 1) of the weights that are here."""


class Models:
    """The one model in memory: loaded when asked for, dropped when another is."""

    def __init__(self) -> None:
        self.loaded: tuple[str, bool] | None = None
        """(model, reduced) of the engine that is there."""
        self._engine: ImageEngine | None = None

    def engine(self, model: str, on_progress: OnProgress, *, reduced: bool) -> ImageEngine:
        """The engine with `model`. Raises BugError where it is not installed, TransientError where S3 fails."""
        if self._engine is not None and self.loaded == (model, reduced):
            return self._engine
        folder = model_folder(model, on_progress)
        entry = choose("text-to-image", model_family(folder))
        # Two models need not fit side by side.
        self.loaded, self._engine = None, None
        release()
        self._engine = load_image_engine(entry, folder, device(), reduced=reduced)
        self.loaded = (model, reduced)
        return self._engine


_MODELS = Models()


def run(context: Context) -> None:
    """Load the engine, so that it is there for `draw`."""
    engine_of(context)


def engine_of(context: Context) -> ImageEngine:
    """The engine with the job's model. Loaded once a process."""

    def on_progress(share: float) -> None:
        context.check_interrupted()
        context.progress(0.5 * share, "Fetching the model")

    engine = _MODELS.engine(image_work(context).model, on_progress, reduced=context.reduced)
    context.check_interrupted()
    return engine
