"""The capture pre-flight: its time, and what it predicts against what really registers.

The photos of the skull lie outside the repository: `--photos` names their folder (66 files, 01.jpg …). What registers
is asked of the worker in the scene environment, minutes a set; it is kept in `.local/preflight` until the worker's code
for poses changes.
"""

import hashlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from snapforge.contracts.preflight import Survey
from snapforge.jobs.domain import preflight
from snapforge.preflight import looking, small
from tests.bench.results import Entry, Section

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "scene" / "bin" / "python"
KEPT = ROOT / ".local" / "preflight"
TITLE = "Capture pre-flight"
_ENGINE = ("worker/engines/scene", "worker/stages/scene")
_TEXT = """Small copies on the CPU against the worker's own poses with draft settings. Sets that begin with “tune” set
the thresholds; the others were only measured. Ours is what was predicted to register, the peer what registered."""
TUNED = "tune"


def measure(photos: Path | None) -> Section:
    """All sets; an hour on two cores when nothing is kept."""
    names = _run("bench.preflight_sets", str(KEPT / "sets"), str(photos or "none")).splitlines()
    rows = [_row(name, KEPT / "sets" / _folder(name)) for name in names]
    held_out = [row for row in rows if not row["name"].startswith(TUNED)]
    wrong = [abs(row["predicted"] - row["actual"]) / row["photos"] for row in held_out]
    whole = [row for row in rows if row["name"] == "skull, all"]
    entries = [
        Entry("Looking at 66 photos", row["seconds"], None, 30.0, "s", f"{row['cpu']:.0f} s of CPU") for row in whole
    ]
    entries += [
        Entry(
            "Off by, mean of held-out sets", sum(wrong) / len(wrong), None, 0.1, "of the photos", f"{len(wrong)} sets"
        ),
        Entry(
            "Held-out sets where can_start is wrong",
            sum(row["can_start"] != row["works"] for row in held_out),
            None,
            0,
            "sets",
            "refused though it works, or let through though the worker refuses it",
        ),
    ]
    return Section(TITLE, _TEXT, (*entries, *(_entry(row) for row in rows)))


def missing(why: str) -> Section:
    """A line that says so."""
    return Section(TITLE, _TEXT, (Entry(TITLE, None, None, None, "", why),))


def _row(name: str, folder: Path) -> dict[str, Any]:
    began, cpu = time.monotonic(), os.times()
    survey = look(folder)
    seconds = time.monotonic() - began
    spent = sum(os.times()[:4]) - sum(cpu[:4])
    real = actual(folder)
    findings = preflight.connections(survey, [path.name for path in sorted(folder.iterdir())])
    return {
        "name": name,
        "photos": survey.photos,
        "predicted": len(survey.registered),
        "actual": len(real["registered"]),
        "works": not real["code"],
        "why": real["code"],
        "rungs": [rung["registered"] for rung in real.get("rungs", ())],
        "can_start": preflight.blocked(findings) is None,
        "codes": sorted({finding.code for finding in findings}),
        "coverage": survey.coverage_degrees,
        "seconds": seconds,
        "cpu": spent,
    }


def look(folder: Path) -> Survey:
    """The survey of a folder's photos, as the function makes it of a capture's."""
    files = sorted(folder.iterdir())
    began = time.monotonic()
    sizes = []
    for path in files:
        with Image.open(path) as image:
            sizes.append(image.size)
    side = small.side_for(sizes)
    with tempfile.TemporaryDirectory() as name:
        for number, path in enumerate(files):
            small.write_copy(path.read_bytes(), side, looking.copy_path(Path(name), number))
        links = looking.look(Path(name), [None] * len(files), limit_s=600)
    return looking.survey(len(files), links, time.monotonic() - began)


def actual(folder: Path) -> dict[str, Any]:
    """What the worker registers of a folder's photos; kept per state of its code."""
    path = KEPT / "actual" / _code() / f"{folder.name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        told = _run("bench.preflight_actual", str(folder)).splitlines()[-1]
        path.write_text(told)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _code() -> str:
    digest = hashlib.sha256()
    for folder in _ENGINE:
        for path in sorted((ROOT / "gpu_batch" / folder).rglob("*.py")):
            if {"poses", "masks", "pairs", "photos", "presets"} & {path.stem, path.parent.name}:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _folder(name: str) -> str:
    return name.replace(":", "").replace(",", "").replace(" ", "-")


def _run(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(PYTHON), "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": f"{ROOT / 'gpu_batch'}:{ROOT / 'layers' / 'core'}:{ROOT}", "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} failed: {(done.stderr.strip().splitlines() or ['no words'])[-1]}")
    return done.stdout


def _entry(row: dict[str, Any]) -> Entry:
    verdict = "starts" if row["can_start"] else "refused"
    coverage = "" if row["coverage"] is None else f", {row['coverage']}°"
    return Entry(
        f"{row['name']} ({row['photos']} photos)",
        row["predicted"],
        row["actual"],
        None,
        "photos",
        f"{verdict}; worker: {row['why'] or 'works'}, by rung {row['rungs']}{coverage}; "
        f"{', '.join(row['codes']) or 'no findings'}; {row['seconds']:.0f} s, {row['cpu']:.0f} s of CPU",
    )
