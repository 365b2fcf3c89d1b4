"""python -m tests.gpu_batch.scene.memory FOLDER COUNT WIDTH HEIGHT REACH: the stages' input side on COUNT photos.

Writes the photos, then runs in this process what a worker does with them, and prints one JSON line: peak memory in MiB
before and after. REACH `masks` ends before the poses; `views` also fetches, finds features of a few photos and
undistorts all with a synthetic model.
"""

import json
import os
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from snapforge.contracts.manifest import Photo, SceneWork
from worker.engines.scene import normalise, photo_checks, photos
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.masks import initial
from worker.engines.scene.masks.store import Masks
from worker.inputs import fetch


def peak() -> float:
    """Peak resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def shoot(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """JPEGs of a patterned thing on plain paper, each with the thing elsewhere and turned otherwise."""
    folder.mkdir(parents=True)
    pattern = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    thing = cv2.resize(pattern, (height // 2, height // 2), interpolation=cv2.INTER_CUBIC)
    made = []
    for index in range(count):
        paper = np.full((height, width, 3), 215, np.uint8)
        top, left = height // 5 + index % 7 * height // 60, width // 6 + index * 37 % 97 * width // 400
        paper[top : top + len(thing), left : left + len(thing)] = np.roll(thing, index * len(thing) // 50, axis=1)
        made.append(folder / f"photo-{index:03d}.jpg")
        cv2.imwrite(str(made[-1]), paper, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return made


class Disk:
    """A storage whose bucket is the disk."""

    def download(self, uri: str, to: Path) -> None:
        os.link(uri.removeprefix("s3://disk"), to)


def main(folder: Path, count: int, width: int, height: int, reach: str) -> None:
    files = shoot(folder / "given", count, width, height)
    given = [
        Photo(uri=f"s3://disk{path}", name=path.name, width=width, height=height, focal_px=1.2 * width)
        for path in files
    ]
    before = peak()
    if reach == "views":
        fetch(Disk(), SceneWork(photos=tuple(given), preset="standard"), folder)  # type: ignore[arg-type]
        files = photos.find(folder / "photos", count)
    seen = photo_checks.inspect(given, files)
    masks = Masks(folder / "masks", [files[index] for index in seen.usable])
    kind = initial.make([files[index] for index in seen.usable], masks, None, lambda _: None).kind
    if reach == "views":
        features(folder, files[:4])
        normalise.build(
            folder, synthetic(files, width, height), given, files, masks, "none", 1600, lambda _: None
        )  # fmt: skip
    sys.stdout.write(
        json.dumps({"before": before, "after": peak(), "used": len(seen.usable), "masked": masks.made, "kind": kind})
    )


def features(folder: Path, files: list[Path]) -> None:
    """SIFT at the sizes of the preset `standard` on a CPU."""
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size, options.sift.first_octave = 1600, -1
    pycolmap.extract_features(
        folder / "some.db",
        files[0].parent,
        image_names=[path.name for path in files],
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def synthetic(files: list[Path], width: int, height: int) -> SimpleNamespace:
    """A model that names the photos, as the poses' stage would hand it on."""
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, len(files)
    options.num_points3D, options.camera_width, options.camera_height = 300, width, height
    options.camera_params = [1.2 * width, width / 2, height / 2, 0.02]
    reconstruction = pycolmap.synthesize_dataset(options)
    for path, number in zip(files, sorted(reconstruction.reg_image_ids()), strict=True):
        reconstruction.images[number].name = path.name
    return SimpleNamespace(reconstruction=reconstruction, method="synthetic")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5]), sys.argv[5])
