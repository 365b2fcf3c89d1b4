"""Photos of the demo's object from cameras of our choice: arcs, video, two objects."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from infrastructure.local.demo.render import studio
from tests.gpu_batch.scene.conftest import FOCAL, SIZE


def shoot(folder: Path, degrees: Sequence[float], elevation: float = 20.0, background: str = "plain") -> list[Path]:
    """One photo from each azimuth, in this order."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, azimuth in enumerate(degrees):
        a, e = np.radians(azimuth), np.radians(elevation + 4 * np.sin(number))
        direction = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        target = np.asarray(studio._CENTRE, np.float64)
        pose = studio._look(target + studio._DISTANCE * direction, target, 0.0)
        camera = studio.Camera(pose, FOCAL, *SIZE)
        path = folder / f"{folder.name}-{number:03d}.jpg"
        Image.fromarray(studio.picture(camera, background, number)[..., :3]).save(path, quality=94, subsampling=0)  # type: ignore[arg-type]
        made.append(path)
    return made


def mirrored(photos: Sequence[Path], folder: Path) -> list[Path]:
    """Photos of another object: the mirror image has the same texture, and no feature of it matches."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for photo in photos:
        path = folder / f"{folder.name}-{photo.name}"
        shutil.copy(photo, path)
        cv2.imwrite(str(path), cv2.imread(str(photo))[:, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 94])
        made.append(path)
    return made
