"""pycolmap's mappers on the database: from the match graph to models."""

import pathlib
import tempfile

from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses.task import Model, Task


def global_models(task: Task) -> list[Model]:
    """All photos at once (GLOMAP): a model for each connected part of the match graph."""
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = task.seed
    options.image_names = task.names
    with tempfile.TemporaryDirectory() as folder:
        found = pycolmap.global_mapping(task.database, task.folder, folder, options)
    return [Model(one, "pycolmap global mapping") for one in found.values()]


def incremental_models(task: Task) -> list[Model]:
    """Photo by photo from the best pair; slower, but each photo is checked against what stands."""
    with tempfile.TemporaryDirectory() as folder:
        found = pycolmap.incremental_mapping(task.database, task.folder, folder, _incremental(task))
    return [Model(one, "pycolmap incremental mapping") for one in found.values()]


def extended(task: Task, model: Model) -> Model:
    """The model with those left-out photos registered that see enough of it."""
    with tempfile.TemporaryDirectory() as folder:
        start, end = pathlib.Path(folder, "start"), pathlib.Path(folder, "end")
        start.mkdir()
        end.mkdir()
        model.reconstruction.write(start)
        options = _incremental(task)
        options.multiple_models = False
        found = pycolmap.incremental_mapping(task.database, task.folder, end, options, start)
    best = max(found.values(), key=lambda one: one.num_reg_images(), default=None)
    return model if best is None else Model(best, f"{model.method}, then photo by photo")


def _incremental(task: Task) -> pycolmap.IncrementalPipelineOptions:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = task.seed
    options.extract_colors = False
    options.image_names = task.names
    # An object's photos are a loop: small parts count too, they may be joined later.
    options.min_model_size = 3
    return options
