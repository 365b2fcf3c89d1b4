"""pycolmap's mappers on the database: from the match graph to models."""

import pathlib
import tempfile

from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses.matching import VERIFIED
from worker.engines.scene.poses.task import Model, Task

_NARROW_DEGREES = 1.0
"""How far a sighting may lie from its point's direction before bundle adjustment; pycolmap's own limit."""
_WIDE_DEGREES = 5.0
_MIN_MODEL_PHOTOS = 3
"""Photos of the smallest model."""
_ROUNDS = 2
_FILTER_PX = 2.0
_FILTER_DEGREES = 1.5
"""A sighting further from its point's image, or a point seen under a smaller angle, is left out."""


def global_models(task: Task) -> list[Model]:
    """All photos at once (GLOMAP): a model for each connected part of the match graph.

    Where a small part's rotations are two degrees off, the mapper's filter takes all its points away: photos that no
    model has are tried once more with a wider one. For all photos it would be too wide, and lets wrong points in.
    """
    found = _at_once(task, task.names, _NARROW_DEGREES)
    taken = {name for model in found for name in model.names}
    rest = [name for name in task.names if name not in taken]
    return found + (_at_once(task, rest, _WIDE_DEGREES) if len(rest) >= _MIN_MODEL_PHOTOS else [])


def _at_once(task: Task, names: list[str], degrees: float) -> list[Model]:
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = task.seed
    options.image_names = names
    options.mapper.max_angular_reproj_error_deg = degrees
    with tempfile.TemporaryDirectory() as folder:
        found = pycolmap.global_mapping(task.database, task.folder, folder, options)
    for one in found.values():
        _refine(one)
    return [Model(one, "pycolmap global mapping") for one in found.values()]


def _refine(reconstruction: pycolmap.Reconstruction) -> None:
    """Bundle adjustment of all cameras and points, without the points that do not fit, in place.

    The global mapper keeps sightings that are many pixels off; the photo-by-photo mapper filters its own as it goes.
    """
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
    for _ in range(_ROUNDS):
        pycolmap.ObservationManager(reconstruction).filter_all_points3D(_FILTER_PX, _FILTER_DEGREES)
        pycolmap.bundle_adjustment(reconstruction, options)
    pycolmap.ObservationManager(reconstruction).filter_all_points3D(_FILTER_PX, _FILTER_DEGREES)
    reconstruction.update_point_3d_errors()


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
    options.min_model_size = _MIN_MODEL_PHOTOS
    # COLMAP asks for 30 points: a photo that hangs on one other shares few points with two. What is wrong is judged.
    options.mapper.abs_pose_min_num_inliers = VERIFIED
    return options
