"""Masks before the poses: what each photo, or the set of photos, shows by itself."""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from worker.engines.scene import photos
from worker.engines.scene.masks import MIN_SHARE, WORK_PX, Kind, Mask, plain_background, static_background
from worker.engines.scene.masks.store import Masks
from worker.engines.scene.photos import Image

if TYPE_CHECKING:
    from worker.engines.scene.masks.segmenter import Segmenter

_MAX_FAILED = 0.2
_PLAIN_SHARE = 0.9
_LOOK_PX = 256
Tick = Callable[[float], None]
Cut = Callable[[Image], Mask | None]


@dataclass(frozen=True)
class InitialMasks:
    """The kind of the masks that were made, `none` unless most photos have one; and plain words about exceptions."""

    kind: Kind
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Survey:
    clear: tuple[int, ...]
    """Numbers of the photos that bring their own alpha."""
    opaque: tuple[int, ...]
    still: bool
    plain: bool


def make(paths: Sequence[pathlib.Path], store: Masks, segmenter: "Segmenter | None", tick: Tick) -> InitialMasks:
    """Choose a kind for the opaque photos and write all masks. Photos are read small, one at a time, twice."""
    seen = _survey(paths, lambda share: tick(0.4 * share))
    kind, cut = _method(paths, seen, segmenter)
    failed: list[int] = []
    for number, index in enumerate(sorted((*seen.clear, *(seen.opaque if cut else ())))):
        if cut is None or index in seen.clear:
            mask: Mask | None = np.ascontiguousarray(photos.read(paths[index])[..., 3])
        else:
            mask = cut(photos.read_small(paths[index], WORK_PX))
        if mask is None:
            failed.append(index)
        else:
            store.put(index, mask)
        tick(0.4 + 0.6 * number / len(paths))
    if cut and len(failed) > _MAX_FAILED * len(seen.opaque):
        # What fails so often is not to be believed where it does not.
        for index in seen.opaque:
            store.drop(index)
        kind = "none"
    notes = []
    if failed and kind != "none":
        notes.append(f"The object could not be told from the background in {len(failed)} photo(s) by themselves.")
    if seen.clear and seen.opaque:
        notes.append(
            f"{len(seen.clear)} of {len(paths)} photos have a transparent background, the others none: "
            "the object is cut out of the others as well as it can be told."
        )
    return InitialMasks(kind, tuple(notes))


def _survey(paths: Sequence[pathlib.Path], tick: Tick) -> _Survey:
    clear, opaque, greys, plains = [], [], [], 0
    for index, path in enumerate(paths):
        small = photos.read_small(path, _LOOK_PX)
        if _transparent(small):
            clear.append(index)
        else:
            opaque.append(index)
            plains += plain_background.is_plain(plain_background.fit_sheet(small[..., :3]))
            look = photos.shrink(np.ascontiguousarray(small[..., :3]), static_background.LOOK_PX)
            greys.append(np.asarray(cv2.cvtColor(look, cv2.COLOR_RGB2GRAY), np.uint8))
        tick((index + 1) / len(paths))
    even = bool(opaque) and plains >= _PLAIN_SHARE * len(opaque)
    return _Survey(
        tuple(clear), tuple(opaque), not even and len(greys) > 3 and static_background.stands_still(greys), even
    )


def _transparent(image: Image) -> bool:
    return bool((image[..., 3] < 128).mean() > MIN_SHARE and (image[..., 3] > 128).any())


def _method(paths: Sequence[pathlib.Path], seen: _Survey, segmenter: "Segmenter | None") -> tuple[Kind, Cut | None]:
    """The best method for the opaque photos, and how it cuts one of them."""
    if not seen.opaque:
        return "alpha", None
    if segmenter is not None:
        return "model", segmenter.cut
    if seen.still:
        every = max(1, -(-len(seen.opaque) // static_background.MAX_PHOTOS))
        backdrop = static_background.learn([photos.read_small(paths[index], WORK_PX) for index in seen.opaque[::every]])
        return "background", lambda image: static_background.cut(image, backdrop)
    if seen.plain:
        return "grabcut", plain_background.cut
    return "none", None
