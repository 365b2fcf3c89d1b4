"""Camera poses of real photos, measured by `gpu_batch/bench/poses.py` in the scene environment."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.results import Entry, Section, Table

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "scene" / "bin" / "python"
TITLE = "Camera poses of real photos"
TEXT = """The ladder of docs/decisions/0009-poses.md on 66 handheld flash photos of a shiny, plain object, two loops at
different light; draft settings, no masks."""


def measure(photos: Path | None) -> Section:
    """Run it on a folder of photos; minutes."""
    if photos is None or not photos.is_dir() or not PYTHON.exists():
        return missing("the scene environment or the folder of photos (--photos) is not there")
    path = f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}"
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "-m", "bench.poses", str(photos)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return missing(f"bench.poses failed: {(done.stderr.strip().splitlines() or ['no words'])[-1]}")
    return _section(json.loads(done.stdout.splitlines()[-1]))


def _section(found: dict[str, Any]) -> Section:
    """Aims are upper limits, so the photos are counted that were left out."""
    left = found["photos"] - found["registered"]
    rungs = tuple(
        (rung["name"], str(rung["registered"]), str(rung["reprojection_error_px"]), str(rung["seconds"]))
        for rung in found["rungs"]
    )
    return Section(
        TITLE,
        TEXT,
        (
            Entry("poses.photos_left_out", left, None, 0, "photos", f"{found['registered']} of {found['photos']}"),
            Entry("poses.reprojection_px", found["reprojection_px"], None, 0.4, "px"),
            Entry("poses.seconds", found["seconds"], None, 150, "s"),
        ),
        (Table("Rungs of the ladder", ("rung", "registered", "px", "seconds"), rungs),),
    )


def missing(why: str) -> Section:
    """A line that says so."""
    return Section(TITLE, TEXT, (Entry("poses.seconds", None, None, 150, "s", why),))
