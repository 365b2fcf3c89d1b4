"""The scene pipeline beside nerfstudio's own, measured by `gpu_batch/bench/scene.py` in the scene environment.

It takes a quarter of an hour and more on two cores: `--scene` runs it anew, otherwise what was measured last is kept.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.results import Entry, Section

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "scene" / "bin" / "python"
TITLE = "Scene"
_UNITS = {"s": "s", "percent": "%", "db": "dB", "mib": "MiB", "mb": "MB", "steps": "steps", "unused": "photos"}
"""By the words of a measure's name."""


def measure(photos: Path | None = None) -> Section:
    """Run it, on a folder of real photos too where one is given; minutes. A half that fails is a line that says so."""
    if not PYTHON.exists() or not (ROOT / "gpu_batch" / "bench" / "scene.py").exists():
        return missing("the scene environment or gpu_batch/bench is not there")
    real = _run("--photos", str(photos)) if photos is not None else []
    return _section((*_run(), *real))


def _run(*arguments: str) -> list[Entry]:
    """What bench.scene prints, or why there is nothing."""
    done = subprocess.run(
        [str(PYTHON), "-m", "bench.scene", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return [_no(f"bench.scene failed: {(done.stderr.strip().splitlines() or ['no words'])[-1]}")]
    return [_entry(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def missing(why: str) -> Section:
    """A line that says so."""
    return _section((_no(why),))


def _no(why: str) -> Entry:
    return Entry("Scene against nerfstudio", None, None, None, "", why)


def _section(entries: tuple[Entry, ...]) -> Section:
    return Section(
        TITLE,
        "Our pipeline against nerfstudio's own Trainer and TSDF exporter on the same rendered photos and poses, at "
        "equal seconds; the peer has no number where it has no such stage.",
        entries,
    )


def _entry(line: dict[str, Any]) -> Entry:
    unit = next((_UNITS[word] for word in str(line["name"]).split("_") if word in _UNITS), "")
    note = line.get("note") or line.get("what") or line.get("why") or ""
    return Entry(line["name"], line["ours"], line["peer"], line["aim"], unit, note)
