"""Time, memory and quality of the scene presets on this machine's GPU: docs/benchmarks-gpu.json.

Run from the repository's root in the scene environment with a CUDA build of torch, with
PYTHONPATH=gpu_batch:layers/core:. (or `make bench-gpu`), as

    python -m bench.gpu [--count 48] [--preset draft --preset standard] [--out docs/benchmarks-gpu.json]

Each preset runs in a process of its own on the same rendered photos, through the worker's own stages, so that peak
memory is its own. Without CUDA it says so and ends with 69 (EX_UNAVAILABLE).
"""

import argparse
import json
import pathlib
import sys
import tempfile
from typing import Any

from bench.cuda import machine
from bench.scene import part
from infrastructure.local.demo.render import render_photos

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SIZE = (1600, 1200)


def rows(preset: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The measures of one preset, as docs/benchmarks.json has them."""
    lines = [(f"{stage['stage']}_s", stage["seconds"], None) for stage in found["stages"]]
    lines += [
        ("total_s", round(sum(stage["seconds"] for stage in found["stages"]), 1), None),
        ("peak_mib", found["peak_mib"], None),
        ("peak_gpu_mib", found["peak_gpu_mib"], None),
        ("psnr_object_db", found["psnr"], None),
        ("chamfer_percent", found["chamfer"], 0.8),
        ("f1_missing_percent", found["f1_missing"], 15.0),
        ("glb_mb", found["glb_mb"], None),
    ]
    return [
        {"name": f"gpu.{preset}.{name}", "ours": ours, "peer": None, "ratio": None, "aim": aim,
         "met": None if aim is None else ours <= aim}
        for name, ours, aim in lines
    ]  # fmt: skip


def main() -> int:
    """Render, run the presets, write."""
    parser = argparse.ArgumentParser(prog="make bench-gpu", description=__doc__)
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--preset", action="append", choices=("draft", "standard", "high"))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "benchmarks-gpu.json")
    chosen = parser.parse_args()
    where = machine()
    entries = []
    with tempfile.TemporaryDirectory() as base:
        folder = pathlib.Path(base)
        render_photos(folder / "photos", chosen.count, _SIZE)
        for preset in chosen.preset or ["draft", "standard"]:
            found = rows(preset, part("bench.scene_ours", base, preset, "cuda"))
            entries += found
            sys.stdout.writelines(json.dumps(entry) + "\n" for entry in found)
    section = {"title": "Scenes on a GPU", "entries": entries}
    chosen.out.write_text(json.dumps({**where, "photos": chosen.count, "sections": [section]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
