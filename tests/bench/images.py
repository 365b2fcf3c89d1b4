"""Drawing pictures: the warm worker beside a stock diffusers loop, measured by `gpu_batch/bench/images.py`.

Minutes on two cores: `--images` runs it anew, otherwise what was measured last is kept.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.results import Entry, Section

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "image" / "bin" / "python"
TITLE = "Images"
NAME = "image throughput"


def measure() -> Section:
    """Run it; minutes."""
    if not PYTHON.exists():
        return missing("the image environment is not there: `make setup`")
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-m", "bench.images"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return missing(f"bench.images failed: {(done.stderr.strip().splitlines() or ['no words'])[-1]}")
    return _section([json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])


def missing(why: str) -> Section:
    """A line that says so."""
    return _section([{"name": NAME, "ours": None, "peer": None, "aim": None, "unit": "", "note": why}])


def _section(lines: list[dict[str, Any]]) -> Section:
    return Section(
        TITLE,
        "The warm worker's choice of micro-batches, engine and writing of files against diffusers' pipeline called "
        "once a request, by turns in one process: same tiny FLUX.1 of real classes, same machine, queues and S3 left "
        "out on both sides. Each speed lever alone against none, for a 256 px picture of 8 steps. Levers that "
        "pay on a GPU cost on a CPU; `make bench-gpu` measures them there.",
        tuple(Entry(*(line[key] for key in ("name", "ours", "peer", "aim", "unit", "note"))) for line in lines),
    )
