"""What the poses are computed from, and what comes out."""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from snapforge.contracts.manifest import Photo
from snapforge.contracts.results import PoseRung
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.presets import Settings

Tick = Callable[[float, str], None]
"""Progress 0..1 within the poses, with words; it may raise to stop the work between two steps."""


@dataclass(frozen=True)
class Task:
    """What the poses are computed from: `paths` by photo number, in one folder; `masks` may be missing."""

    photos: Sequence[Photo]
    paths: Sequence[pathlib.Path]
    masks: pathlib.Path | None
    work: pathlib.Path
    """Holds all that a later entry needs to go on; a copy of it is a checkpoint."""
    settings: Settings
    cuda: bool
    seed: int
    turns: bool = False
    """The object turned before a background that stood still: features outside of the masks would defeat the poses."""

    @property
    def database(self) -> pathlib.Path:
        return self.work / "database.db"

    @property
    def folder(self) -> pathlib.Path:
        """Where the photos lie."""
        return self.paths[0].parent

    @property
    def names(self) -> list[str]:
        """File names by photo number; these are the names in the database."""
        return [path.name for path in self.paths]

    @property
    def device(self) -> pycolmap.Device:
        return pycolmap.Device.cuda if self.cuda and pycolmap.has_cuda else pycolmap.Device.cpu

    def only(self, numbers: Sequence[int]) -> "Task":
        """The same task with some of the photos."""
        return replace(
            self, photos=[self.photos[number] for number in numbers], paths=[self.paths[number] for number in numbers]
        )


@dataclass(frozen=True)
class Model:
    """A model found, and how."""

    reconstruction: pycolmap.Reconstruction
    method: str

    @property
    def names(self) -> set[str]:
        """File names of the registered photos."""
        return {self.reconstruction.images[i].name for i in self.reconstruction.reg_image_ids()}

    @property
    def error_px(self) -> float:
        """Mean reprojection error in pixels of the photos."""
        return float(self.reconstruction.compute_mean_reprojection_error())


@dataclass(frozen=True)
class Solution:
    """The largest consistent model, what each rung of the ladder gave, and plain words for the customer."""

    model: Model
    rungs: tuple[PoseRung, ...]
    notes: tuple[str, ...]
