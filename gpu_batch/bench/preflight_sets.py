"""The photo sets on which the capture pre-flight is tuned and held against what really registers.

`python -m bench.preflight_sets OUT SKULL` writes a folder of photos per set. The skull's photos lie outside of the
repository; without them its sets are left out. Same arguments, same files.
"""

import pathlib
import shutil
import sys
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from infrastructure.local.demo.render.studio import Background, Camera, cameras, picture

SIZE = (640, 480)
FOCAL = 1.4 * SIZE[0]
_CENTRE = np.array([0.03, 0.0, 0.6])
_AWAY = 3.1

Maker = Callable[[pathlib.Path, pathlib.Path], None]
"""Writes the photos of a set into the first folder; the second holds the skull's."""


def _looking(eye: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> Camera:
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return Camera(pose, FOCAL, *SIZE)


def _arc(count: int, degrees: float, seed: int) -> list[Camera]:
    """Two rows of photos over an arc, a little unsteady."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        azimuth = np.radians(degrees) * (index // 2) / max(1, count // 2 - 1) + random.normal(0, 0.02)
        elevation = np.radians(12 + 22 * (index % 2)) + random.normal(0, 0.02)
        towards = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        made.append(_looking(_CENTRE + _AWAY * np.array(towards), _CENTRE + random.normal(0, 0.02, 3)))
    return made


def _turning(count: int, seed: int) -> list[Camera]:
    """One spot, the camera turned from photo to photo."""
    random = np.random.default_rng(seed)
    eye = _CENTRE + np.array([_AWAY, 0.3, 0.7])
    yaws = np.linspace(-0.45, 0.45, count)
    aims = [_CENTRE + np.array([0.0, 2.2 * yaw, 0.3 * random.normal()]) for yaw in yaws]
    return [_looking(eye, aim) for aim in aims]


def _shoot(
    folder: pathlib.Path, cams: Iterable[Camera], background: Background, seed: int, stem: str = "photo"
) -> None:
    for index, camera in enumerate(cams):
        image = Image.fromarray(picture(camera, background, seed * 1000 + index))
        image.save(folder / f"{stem}-{index:03d}.jpg", quality=94, subsampling=0)


def _turn(count: int, background: Background, seed: int) -> Maker:
    return lambda folder, _: _shoot(folder, cameras(count, SIZE, seed), background, seed)


def _side(count: int, degrees: float, background: Background, seed: int) -> Maker:
    return lambda folder, _: _shoot(folder, _arc(count, degrees, seed), background, seed)


def _turned(count: int, seed: int) -> Maker:
    return lambda folder, _: _shoot(folder, _turning(count, seed), "textured", seed)


def _blurred(count: int, every: int, radius: float, seed: int) -> Maker:
    def make(folder: pathlib.Path, _: pathlib.Path) -> None:
        _shoot(folder, cameras(count, SIZE, seed), "plain", seed)
        for path in sorted(folder.iterdir())[1::every]:
            with Image.open(path) as image:
                image.filter(ImageFilter.GaussianBlur(radius)).save(path, quality=94, subsampling=0)

    return make


def _skull(numbers: Iterable[int]) -> Maker:
    chosen = list(numbers)

    def make(folder: pathlib.Path, skull: pathlib.Path) -> None:
        for number in chosen:
            shutil.copy(skull / f"{number:02d}.jpg", folder / f"skull-{number:02d}.jpg")

    return make


def _mixed(count: int, seed: int, numbers: Iterable[int]) -> Maker:
    def make(folder: pathlib.Path, skull: pathlib.Path) -> None:
        _shoot(folder, cameras(count, SIZE, seed), "plain", seed, "bird")
        _skull(numbers)(folder, skull)

    return make


def _video(count: int, seed: int) -> Maker:
    """Every frame of a slow walk: neighbours show the same view."""
    return lambda folder, _: _shoot(folder, _arc(2 * count, 24, seed)[::2], "plain", seed, "frame")


TUNED_ON: dict[str, Maker] = {
    "tune: skull, second loop": _skull(range(34, 67)),
    "tune: skull, last 20": _skull(range(47, 67)),
    "tune: skull, 11 of the second loop": _skull(range(34, 67, 3)),
    "tune: full turn, 24, room": _turn(24, "textured", 21),
    "tune: sparse turn, 12": _turn(12, "plain", 22),
    "tune: one side, 12": _side(12, 45, "plain", 23),
    "tune: two objects": _mixed(12, 24, range(40, 52)),
    "tune: turned camera": _turned(12, 25),
    "tune: blurred": _blurred(24, 4, 5.0, 26),
    "tune: video frames": _video(15, 27),
}
"""Of the skull only the second loop, which was shot in other light."""
HELD_OUT: dict[str, Maker] = {
    "skull, all": _skull(range(1, 67)),
    "skull, first 24": _skull(range(1, 25)),
    "skull, first loop": _skull(range(1, 34)),
    "skull, 17 of the first loop": _skull(range(1, 34, 2)),
    "skull, 11 of the first loop": _skull(range(1, 34, 3)),
    "full turn": _turn(32, "plain", 0),
    "half turn": _side(20, 180, "textured", 3),
    "one side": _side(16, 60, "plain", 4),
    "two objects": _mixed(20, 5, range(1, 17)),
    "turned camera": _turned(14, 6),
    "blurred": _blurred(32, 3, 6.0, 7),
    "video frames": _video(20, 8),
    "full turn, room": _turn(28, "textured", 31),
    "three quarters": _side(26, 270, "plain", 32),
}
SETS = TUNED_ON | HELD_OUT


def folder_of(base: pathlib.Path, name: str) -> pathlib.Path:
    """Where a set's photos lie below `base`."""
    return base / name.replace(":", "").replace(",", "").replace(" ", "-")


def make(base: pathlib.Path, skull: pathlib.Path, names: Iterable[str]) -> list[str]:
    """Write the sets that are not there yet; returns the names of those that could be made."""
    made = []
    for name in names:
        folder = folder_of(base, name)
        if ("skull" in name or "two objects" in name) and not skull.is_dir():
            continue
        if not folder.exists():
            unfinished = folder.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            SETS[name](unfinished, skull)
            unfinished.rename(folder)
        made.append(name)
    return made


if __name__ == "__main__":
    for each in make(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), SETS):
        print(each, flush=True)
