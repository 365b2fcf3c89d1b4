"""Camera poses with pycolmap: SIFT, matching, global mapping, incremental mapping as the fallback.

Reads `photos/` and `masks/`; works in `sparse/` (`database.db`); the model is handed to `normalise`.
"""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np

from snapforge.contracts.manifest import Photo
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.masks import Mask
from worker.engines.scene.pairs import choose_pairs
from worker.engines.scene.photos import MIN_PHOTOS
from worker.engines.scene.presets import Settings
from worker.errors import InputError

Tick = Callable[[float, str], None]
"""Progress 0..1 within the poses, with words; it may raise to stop the work between two steps."""

_CHUNK = 4
_PAIR_CHUNK = 60
_GOOD_SHARE = 0.85
"""Share of photos that global mapping must register to spare us the incremental one."""
_WIDE_PX = 2.0
_DEFAULT_FOCAL = 1.2


@dataclass(frozen=True)
class Task:
    """What the poses are computed from: `paths` by photo number, in one folder; `masks` may be missing."""

    photos: Sequence[Photo]
    paths: Sequence[pathlib.Path]
    masks: pathlib.Path | None
    work: pathlib.Path
    settings: Settings
    cuda: bool
    seed: int

    @property
    def database(self) -> pathlib.Path:
        return self.work / "database.db"

    @property
    def device(self) -> pycolmap.Device:
        return pycolmap.Device.cuda if self.cuda and pycolmap.has_cuda else pycolmap.Device.cpu


@dataclass(frozen=True)
class Model:
    """The largest model found, and how."""

    reconstruction: pycolmap.Reconstruction
    method: str

    @property
    def names(self) -> set[str]:
        """File names of the registered photos."""
        return {self.reconstruction.images[i].name for i in self.reconstruction.reg_image_ids()}


def solve(task: Task, tick: Tick, keep: Callable[[], None]) -> Model:
    """Find the poses. `keep` is called between steps and may save `task.database`, from which a later run goes on.

    Raises:
        InputError: `photos_do_not_connect`, `photos_without_parallax`.
    """
    pycolmap.logging.minloglevel = pycolmap.logging.Level.FATAL.value
    pycolmap.set_random_seed(task.seed)
    task.work.mkdir(parents=True, exist_ok=True)
    _extract(task, lambda share: tick(0.45 * share, "finding features"), keep)
    _match(task, lambda share: tick(0.45 + 0.35 * share, "matching photos"), keep)
    # Before mapping: a turned camera can be fitted by a model, but there is no depth in it.
    if _panoramic(task):
        raise InputError(
            "photos_without_parallax",
            "The photos overlap, but all seem to be taken from one spot.",
            "Walk round the object: move the camera sideways between photos instead of turning it.",
        )
    tick(0.8, "computing poses")
    model = _map(task)
    if model is None or len(model.names) < max(MIN_PHOTOS, len(task.photos) / 2):
        raise _unconnected(task, model.names if model else set())
    return model


def largest(models: dict[int, pycolmap.Reconstruction]) -> pycolmap.Reconstruction | None:
    """The model with the most registered photos; with equals, the one with more points. None of none."""
    return max(models.values(), key=lambda model: (model.num_reg_images(), model.num_points3D()), default=None)


def _lens(photo: Photo) -> tuple[int, int, float]:
    return photo.width, photo.height, round(photo.focal_px or 0.0, 1)


def _extract(task: Task, tick: Callable[[float], None], keep: Callable[[], None]) -> None:
    """SIFT of all photos; photos of one size and focal length share one camera."""
    done = 0
    order = sorted(range(len(task.photos)), key=lambda index: (_lens(task.photos[index]), index))
    for lens, members in groupby(order, key=lambda index: _lens(task.photos[index])):
        indices = list(members)
        for start in range(0, len(indices), _CHUNK):
            chunk = [task.paths[index].name for index in indices[start : start + _CHUNK]]
            pycolmap.extract_features(
                task.database,
                task.paths[0].parent,
                image_names=chunk,
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=_reader(task, lens, task.paths[indices[0]].name),
                extraction_options=_extraction(task.settings),
                device=task.device,
            )
            done += len(chunk)
            tick(done / len(order))
            keep()


def _reader(task: Task, lens: tuple[int, int, float], first: str) -> pycolmap.ImageReaderOptions:
    width, height, focal = lens
    options = pycolmap.ImageReaderOptions()
    options.camera_model = "SIMPLE_RADIAL"
    options.default_focal_length_factor = _DEFAULT_FOCAL
    if focal:
        options.camera_params = f"{focal},{width / 2},{height / 2},0"
    if task.masks is not None:
        options.mask_path = task.masks
    with pycolmap.Database.open(task.database) as database:
        known = database.read_image_with_name(first)
        if known is not None:
            options.existing_camera_id = known.camera_id
    return options


def _extraction(settings: Settings) -> pycolmap.FeatureExtractionOptions:
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = settings.sift_px
    options.sift.max_num_features = settings.sift_features
    options.sift.first_octave = -1
    options.sift.peak_threshold = settings.sift_peak
    options.sift.estimate_affine_shape = settings.sift_affine
    options.sift.domain_size_pooling = settings.sift_affine
    return options


def _match(task: Task, tick: Callable[[float], None], keep: Callable[[], None]) -> None:
    with pycolmap.Database.open(task.database) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
        names = [path.name for path in task.paths]
        rows = [np.asarray(database.read_descriptors(ids[name]).data, np.uint8) for name in names]
    pairs = choose_pairs(rows, task.seed)
    listing = task.work / "pairs.txt"
    matching = pycolmap.FeatureMatchingOptions()
    matching.guided_matching = task.settings.sift_affine
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = task.seed
    for start in range(0, len(pairs), _PAIR_CHUNK):
        chunk = pairs[start : start + _PAIR_CHUNK]
        listing.write_text("".join(f"{names[a]} {names[b]}\n" for a, b in chunk))
        pairing = pycolmap.ImportedPairingOptions()
        pairing.match_list_path = listing
        pycolmap.match_image_pairs(task.database, matching, pairing, verification, task.device)
        tick(min(1.0, (start + _PAIR_CHUNK) / len(pairs)))
        keep()


def _map(task: Task) -> Model | None:
    """Global mapping; incremental too where that left many photos out. The larger model wins."""
    wanted = _GOOD_SHARE * len(task.photos)
    models = [_global(task)]
    first = models[0]
    if first is None or len(first.names) < wanted or first.reconstruction.compute_mean_reprojection_error() > _WIDE_PX:
        models.append(_incremental(task))
    return max((model for model in models if model), key=lambda model: len(model.names), default=None)


def _global(task: Task) -> Model | None:
    if any(photo.focal_px is None for photo in task.photos):
        pycolmap.calibrate_view_graph(task.database)
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = task.seed
    folder = task.work / "global"
    folder.mkdir(exist_ok=True)
    found = largest(pycolmap.global_mapping(task.database, task.paths[0].parent, folder, options))
    return Model(found, "pycolmap global mapping") if found else None


def _incremental(task: Task) -> Model | None:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = task.seed
    options.extract_colors = False
    folder = task.work / "incremental"
    folder.mkdir(exist_ok=True)
    found = largest(pycolmap.incremental_mapping(task.database, task.paths[0].parent, folder, options))
    return Model(found, "pycolmap incremental mapping") if found else None


def _unconnected(task: Task, names: set[str]) -> InputError:
    lost = [photo.name for photo, path in zip(task.photos, task.paths, strict=True) if path.name not in names]
    shown = ", ".join(lost[:12]) + (f" and {len(lost) - 12} more" if len(lost) > 12 else "")
    return InputError(
        "photos_do_not_connect",
        f"{len(names)} of {len(task.photos)} photos could be joined into one scene.",
        f"Not connected: {shown}. Leave out photos of other things, and add photos between those that are far apart "
        "(steps of 10 to 15 degrees, sharp, even light).",
    )


def _panoramic(task: Task) -> bool:
    """Whether most well-matched pairs are explained by a rotation (or a plane) alone."""
    flat = pycolmap.TwoViewGeometryConfiguration
    with pycolmap.Database.open(task.database) as database:
        _, geometries = database.read_two_view_geometries()
    strong = [int(geometry.config) for geometry in geometries if len(geometry.inlier_matches) >= 30]
    degenerate = sum(config in (flat.PANORAMIC.value, flat.PLANAR_OR_PANORAMIC.value) for config in strong)
    return len(strong) >= len(task.photos) - 1 and degenerate > 0.6 * len(strong)


def feature_masks(folder: pathlib.Path, paths: Sequence[pathlib.Path], masks: Sequence[Mask | None]) -> None:
    """Write the masks as pycolmap wants them, widened a little: features on the outline are good features."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, mask in zip(paths, masks, strict=True):
        if mask is not None:
            radius = max(3, round(0.008 * max(mask.shape)))
            wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
            cv2.imwrite(str(folder / f"{path.name}.png"), wide)
