"""Masks as files, one in memory at a time: 300 masks of 24 megapixels would be 7 GB."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import overload

import cv2
import numpy as np

from worker.engines.scene import photos
from worker.engines.scene.masks import Mask


class Masks(Sequence[Mask | None]):
    """The masks of a set of photos by number, each read when asked for and brought to its photo's size; None: has none.

    A file may be smaller than its photo: what was cut at 512 px is not kept at 6000.
    """

    def __init__(self, folder: pathlib.Path, paths: Sequence[pathlib.Path]) -> None:
        self.folder = folder
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Mask | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mask | None]: ...
    def __getitem__(self, index: int | slice) -> Mask | Sequence[Mask | None] | None:
        if isinstance(index, slice):
            raise TypeError("masks are read one at a time")
        if not 0 <= index < len(self):
            raise IndexError(index)
        file = self._file(index)
        if not file.exists():
            return None
        mask = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.uint8)
        width, height = photos.size(self._paths[index])
        if mask.shape == (height, width):
            return mask
        soft = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray((soft > 127) * np.uint8(255), np.uint8)

    def __iter__(self) -> Iterator[Mask | None]:
        return (self[index] for index in range(len(self)))

    def put(self, index: int, mask: Mask) -> None:
        """Keep the mask (H, W) of photo `index`."""
        self.folder.mkdir(exist_ok=True)
        photos.write(self._file(index), mask)

    @property
    def made(self) -> int:
        """How many photos have a mask."""
        return sum(self.has(index) for index in range(len(self)))

    def has(self, index: int) -> bool:
        """Whether photo `index` has a mask, without reading it."""
        return self._file(index).exists()

    def drop(self, index: int) -> None:
        """Forget the mask of photo `index`, if there is one."""
        self._file(index).unlink(missing_ok=True)

    def _file(self, index: int) -> pathlib.Path:
        return self.folder / f"{index:03d}.png"
