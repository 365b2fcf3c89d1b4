"""What a set of photos is good for: which of them can be used, and whether they are enough to begin."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from snapforge.contracts.manifest import Photo
from worker.engines.scene import photos
from worker.engines.scene.photos import MIN_PHOTOS
from worker.errors import InputError

MIN_SIDE_PX = 160
"""Of the shorter side: below, hardly a feature is found."""
_THUMB_PX = 32
_LOOK_PX = 256
_MAX_COPY_DIFFERENCE = 4.0
"""Grey levels: two photos show the same view where 98 % of their 32-pixel thumbnails differ by less. Re-encoded copies
differ by up to 2, a step of a quarter degree round a rendered object by 6."""
_MIN_SPREAD = 2.5
"""Grey levels: the spread of a photo under which it shows nothing."""


@dataclass(frozen=True)
class CheckedPhotos:
    """Which photos can be used (numbers, rising), and plain words about the others."""

    usable: tuple[int, ...]
    notes: tuple[str, ...]


def inspect(given: Sequence[Photo], paths: Sequence[pathlib.Path]) -> CheckedPhotos:
    """Look at each photo, small and one at a time; leave out what cannot be used, and refuse sets that cannot work.

    Raises:
        InputError: `too_few_photos`, `photos_all_equal`, `photos_unusable`.
    """
    if len(given) < MIN_PHOTOS:
        raise _too_few(len(given))
    reasons: dict[str, list[str]] = {}
    thumbs: dict[int, npt.NDArray[np.float32]] = {}
    copies: list[str] = []
    for index, (photo, path) in enumerate(zip(given, paths, strict=True)):
        thumb, reason = _look(path)
        if thumb is None:
            reasons.setdefault(reason, []).append(photo.name)
        elif any(_alike(thumb, other) for other in thumbs.values()):
            copies.append(photo.name)
        else:
            thumbs[index] = thumb
    bad = sum(len(names) for names in reasons.values())
    notes = [f"Left out, because {reason}: {listed(names)}." for reason, names in reasons.items()]
    if len(given) - bad < MIN_PHOTOS:
        raise InputError(
            "photos_unusable",
            f"{len(given) - bad} of {len(given)} photos can be used; a model needs at least {MIN_PHOTOS}.",
            " ".join(notes) + " Upload them again, or take others: sharp, well lit, at least 1000 pixels wide.",
        )
    if len(thumbs) < MIN_PHOTOS:
        raise InputError(
            "photos_all_equal",
            f"Only {len(thumbs)} of {len(given)} photos differ from each other.",
            "Take photos from different sides: move the camera between photos.",
        )
    if copies:
        notes.append(f"Left out, because another photo shows the very same view: {listed(copies)}.")
    return CheckedPhotos(tuple(thumbs), tuple(notes))


def listed(names: Sequence[str], max_count: int = 12) -> str:
    """The names, of which at most `max_count` are spelled out."""
    return ", ".join(names[:max_count]) + (f" and {len(names) - max_count} more" if len(names) > max_count else "")


def _too_few(count: int) -> InputError:
    return InputError(
        "too_few_photos",
        f"{count} photo(s) were given; a model needs at least {MIN_PHOTOS}.",
        "Walk once round the object and take 25 to 60 photos, each overlapping the one before.",
    )


def _look(path: pathlib.Path) -> tuple[npt.NDArray[np.float32] | None, str]:
    """A grey thumbnail (32, 32) over mid-grey; or None and why the photo cannot be used."""
    try:
        width, height = photos.size(path)
        if min(width, height) < MIN_SIDE_PX:
            return None, f"they are smaller than {MIN_SIDE_PX} pixels"
        small = photos.read_small(path, _LOOK_PX).astype(np.float32)
    except InputError:
        return None, "they cannot be read as a picture"
    alpha = small[..., 3:] / 255
    grey = (small[..., :3] * alpha + 127 * (1 - alpha)).mean(2)
    shown = alpha[..., 0] > 0.5
    if not shown.any() or float(grey[shown].std()) < _MIN_SPREAD:
        return None, "they show nothing (one colour from edge to edge)"
    return np.asarray(cv2.resize(grey, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA), np.float32), ""


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> bool:
    return float(np.quantile(np.abs(one - other), 0.98)) < _MAX_COPY_DIFFERENCE
