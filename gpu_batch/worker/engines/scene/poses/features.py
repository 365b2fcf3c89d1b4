"""SIFT features of the photos, in the database."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import cv2

from snapforge.contracts.manifest import Photo
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.masks import Mask
from worker.engines.scene.photos import shrink
from worker.engines.scene.poses import tables
from worker.engines.scene.poses.task import Task

_CHUNK = 4
_WIDEN_PX = 1024
_DEFAULT_FOCAL = 1.2
"""Focal length in longer sides where the photo has none in its EXIF: that of a phone's main camera, or a short zoom."""


@dataclass(frozen=True)
class Recipe:
    """How features are found. Affine shape and domain-size pooling: better on weak texture, some ten times slower."""

    px: int
    features: int
    peak: float
    affine: bool = False
    masked: bool = True

    @classmethod
    def usual(cls, task: Task) -> "Recipe":
        """That of the preset."""
        sizes = task.settings
        return cls(sizes.sift_px, sizes.sift_features, sizes.sift_peak, sizes.sift_affine)


def extract(task: Task, numbers: Iterable[int], recipe: Recipe, tick: Callable[[float], None]) -> None:
    """Features of these photos, but for those that have some; photos of one size and focal length share one camera."""
    done = 0
    order = sorted(numbers, key=lambda index: (_lens(task.photos[index]), index))
    for lens, members in groupby(order, key=lambda index: _lens(task.photos[index])):
        indices = list(members)
        for start in range(0, len(indices), _CHUNK):
            chunk = [task.paths[index].name for index in indices[start : start + _CHUNK]]
            pycolmap.extract_features(
                task.database,
                task.folder,
                image_names=chunk,
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=_reader(task, lens, recipe.masked),
                extraction_options=_options(recipe),
                device=task.device,
            )
            done += len(chunk)
            tick(done / len(order))


def _lens(photo: Photo) -> tuple[int, int, float]:
    return photo.width, photo.height, round(photo.focal_px or 0.0, 1)


def _reader(task: Task, lens: tuple[int, int, float], masked: bool) -> pycolmap.ImageReaderOptions:
    width, height, focal = lens
    options = pycolmap.ImageReaderOptions()
    options.camera_model = "SIMPLE_RADIAL"
    options.default_focal_length_factor = _DEFAULT_FOCAL
    if focal:
        options.camera_params = f"{focal},{width / 2},{height / 2},0"
    if masked and task.masks is not None:
        options.mask_path = task.masks
    alike = (path.name for photo, path in zip(task.photos, task.paths, strict=True) if _lens(photo) == lens)
    with pycolmap.Database.open(task.database) as database:
        known = next((image for name in alike if (image := database.read_image_with_name(name))), None)
    if known is not None:
        options.existing_camera_id = known.camera_id
    return options


def _options(recipe: Recipe) -> pycolmap.FeatureExtractionOptions:
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = recipe.px
    options.sift.max_num_features = recipe.features
    options.sift.first_octave = -1
    options.sift.peak_threshold = recipe.peak
    options.sift.estimate_affine_shape = recipe.affine
    options.sift.domain_size_pooling = recipe.affine
    return options


def forget(task: Task, numbers: Iterable[int]) -> None:
    """Drop the features of these photos and every match with them, so that others can take their place."""
    with pycolmap.Database.open(task.database) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
    tables.forget(task.database, [ids[task.paths[number].name] for number in numbers])


def write_masks(folder: pathlib.Path, paths: Sequence[pathlib.Path], masks: Sequence[Mask | None]) -> None:
    """Write the masks as pycolmap wants them, widened a little: features on the outline are good features."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, mask in zip(paths, masks, strict=True):
        if mask is not None:
            # Widened small: a disc of 50 pixels over 24 megapixels takes seconds.
            small = shrink(mask, _WIDEN_PX)
            radius = max(3, round(0.008 * max(small.shape)))
            wide = cv2.dilate(small, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
            whole = cv2.resize(wide, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / f"{path.name}.png"), whole, [cv2.IMWRITE_PNG_COMPRESSION, 1])
