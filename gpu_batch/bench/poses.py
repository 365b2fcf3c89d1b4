"""Where the cameras of a folder of real photos stood: photos registered, pixels, seconds for each rung of the ladder.

Run from the repository's root in the scene environment, with PYTHONPATH=gpu_batch:layers/core:. as

    python -m bench.poses FOLDER [--count N] [--preset draft]

Prints one JSON object: {photos, registered, reprojection_px, seconds, rungs}. Masks are not used; photos are matched
in the order of their names.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time
from typing import Any

from PIL import Image

from snapforge.contracts.manifest import Photo
from worker.engines.scene import poses, presets


def measure(source: pathlib.Path, count: int | None, preset: Any) -> dict[str, Any]:
    """Solve the poses of the first `count` photos on the CPU."""
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})[:count]
    photos = []
    with tempfile.TemporaryDirectory() as base:
        folder = pathlib.Path(base, "photos")
        folder.mkdir()
        paths = [folder / f"{index:03d}{path.suffix}" for index, path in enumerate(files)]
        for path, copy in zip(files, paths, strict=True):
            shutil.copyfile(path, copy)
            with Image.open(path) as image:
                photos.append(Photo(uri="s3://-/-", name=path.name, width=image.width, height=image.height))
        sizes = presets.settings(preset, "cpu")
        task = poses.Task(photos, paths, None, pathlib.Path(base, "sparse"), sizes, False, 0)
        begun = time.monotonic()
        solution = poses.solve(task, lambda share, words: None, lambda: None)
        seconds = time.monotonic() - begun
    return {
        "photos": len(files),
        "registered": len(solution.model.names),
        "reprojection_px": round(solution.model.error_px, 3),
        "seconds": round(seconds, 1),
        "rungs": [rung.model_dump(mode="json") for rung in solution.rungs],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--preset", choices=("draft", "standard", "high"), default="draft")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.folder, chosen.count, chosen.preset)))
    sys.exit(0)
