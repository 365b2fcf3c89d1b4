"""Our side of the scene bench: the worker's own stages on a folder. Prints one JSON object as its last line."""

import json
import pathlib
import resource
import shutil
import sys
import threading
import time
from typing import Any

import torch
import trimesh
from PIL import Image

from bench.scene_measure import closeness
from snapforge.contracts.manifest import Manifest, Photo, SceneWork
from snapforge.contracts.results import SceneQuality
from worker.engines.scene import presets, quality, texture, views
from worker.errors import QualityError
from worker.stages.base import Device
from worker.stages.scene import STAGES

_BUDGET = ("train", "mesh", "texture")


class Bench:
    """The minimum that stages ask of their context: nothing is kept, nothing is reported."""

    def __init__(self, folder: pathlib.Path, work: SceneWork, device: Device) -> None:
        self.manifest = Manifest.model_validate(
            {
                "job_id": "bench", "run": 1, "attempt": 1, "deadline": "2099-01-01T00:00:00Z",
                "reports_queue_url": "-", "output_uri": "s3://-/", "work": work.model_dump(),
            }
        )  # fmt: skip
        self.folder = folder
        self.work = work
        self.state: dict[str, Any] = {}
        self.quality: SceneQuality | None = None
        self.interrupted = threading.Event()
        self.device: Device = device
        self.reduced = False

    def progress(self, fraction: float, message: str = "") -> None: ...
    def checkpoint(self, name: str, path: pathlib.Path) -> None: ...
    def restore(self, name: str, to: pathlib.Path) -> bool:
        return False

    def add_result(self, path: pathlib.Path, *rest: Any, **more: Any) -> None: ...
    def note(self, text: str) -> None: ...
    def check_interrupted(self) -> None: ...


def _photo(path: pathlib.Path) -> Photo:
    with Image.open(path) as image:
        equivalent = image.getexif().get_ifd(0x8769).get(0xA405)
        focal = equivalent / 36 * max(image.size) if equivalent else None
        return Photo(uri="s3://-/-", name=path.name, width=image.width, height=image.height, focal_px=focal)


def run(base: pathlib.Path, preset: Any, device: Device = "cpu") -> dict[str, Any]:
    """Run all stages; the folder `base/ours` stays for the peer, who takes our poses."""
    files = sorted((base / "photos").iterdir())
    folder = base / "ours"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "photos").mkdir(parents=True)
    photos = []
    for index, path in enumerate(files):
        shutil.copy(path, folder / "photos" / f"{index:03d}{path.suffix.lower()}")
        photos.append(_photo(path))
    context = Bench(folder, SceneWork(photos=tuple(photos), preset=preset), device)
    stages = []
    for stage in STAGES:
        begun, failing = time.monotonic(), ""
        try:
            stage.run(context)
        except QualityError as error:  # of the last stage: a job would fail, a measure does not
            failing = str(error)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        stages.append({"stage": stage.name, "seconds": round(time.monotonic() - begun, 1), "peak_mib": peak})
    capture, model = views.load(folder), texture.load(folder)
    truth = base / "photos-truth"
    near = None
    if truth.exists():
        near = closeness(trimesh.Trimesh(model.vertices, model.faces, process=False), capture, truth)
    return {
        "stages": stages,
        "budget": round(sum(row["seconds"] for row in stages if row["stage"] in _BUDGET), 1),
        "steps": presets.settings(preset, device).steps,
        "peak_mib": stages[-1]["peak_mib"],
        # At the peer's size; the texture here has also seen these views, so the stage's own number is the honest one.
        "psnr": context.state["psnr"],
        "psnr_320_all_photos": quality.psnr(folder, capture, model, tuple(v.scaled(320) for v in capture.held_out)),
        "peak_gpu_mib": torch.cuda.max_memory_allocated() // 2**20 if device == "cuda" else None,
        "faces": context.state["faces"],
        "glb_mb": round((folder / "model.glb").stat().st_size / 1e6, 2),
        "chamfer": near and near.chamfer,
        "f1_missing": near and near.f1_missing,
        "registered": context.state["registered"],
        "given": len(photos),
        "seen": context.state["seen"],
        "masks": capture.masks,
        "failing": failing,
    }


if __name__ == "__main__":
    print(json.dumps(run(pathlib.Path(sys.argv[1]), sys.argv[2], "cuda" if "cuda" in sys.argv else "cpu")))
