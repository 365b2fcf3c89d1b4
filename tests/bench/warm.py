"""Warm CPU per request: ours beside FastAPI + Mangum + boto3, AWS answers canned."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.results import Entry, Section, Table, median
from tests.support import environment

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "POWERTOOLS_METRICS_DISABLED": "true"}
AIMS = {
    "POST /v1/jobs": 1.0,
    "GET /v1/jobs/{id}": 1.0,
    "frame of POST /v1/jobs": 0.6,
    "frame of GET /v1/jobs/{id}": 0.6,
}


def measure(folder: Path) -> Section:
    """Both endpoints and both frames, with logs and metrics on both sides, and without on either."""
    loud = _run(folder / "warm.json", {"POWERTOOLS_LOG_LEVEL": "INFO"})
    quiet = _run(folder / "warm-quiet.json", QUIET)
    entries, rows = [], []
    for name, aim in AIMS.items():
        ours, peer = (median(loud[name][side]) for side in ("ours", "peer"))
        without, peer_without = (median(quiet[name][side]) for side in ("ours", "peer"))
        note = f"without logs and metrics on either side {without / peer_without:.2f}"
        entries.append(Entry(f"Warm CPU, {name}", ours, peer, aim, "µs CPU per request", note))
        spread = " … ".join(f"{pick(_ratios(loud[name])):.2f}" for pick in (min, max))
        rows.append((name, f"{ours:.0f}", f"{peer:.0f}", spread, f"{without:.0f}", f"{peer_without:.0f}"))
    return Section(
        "Warm CPU per request",
        "Ours against FastAPI (`async def`) + Mangum + boto3 with the same access tokens, wire schemas, rules, items "
        "and conditions (the bench compares the transactions), by turns in one process, median of the turns. Both "
        "sides log a line and count three metrics by Powertools. `Frame` is the same with a service that does nothing: "
        "routing, validation, auth, answer; ours also limits the session's requests and makes an ETag.",
        tuple(entries),
        (
            Table(
                "Microseconds of CPU per request",
                ("request", "ours", "peer", "ratio of single turns", "ours, quiet", "peer, quiet"),
                tuple(rows),
            ),
        ),
    )


def _ratios(told: dict[str, list[float]]) -> list[float]:
    return [ours / peer for ours, peer in zip(told["ours"], told["peer"], strict=True)]


def _run(file: Path, more: dict[str, str]) -> dict[str, dict[str, list[float]]]:
    """One process. RuntimeError with its words when it fails."""
    variables = environment.of_functions("http://127.0.0.1:9") | more
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.warm_child", str(file)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'layers' / 'core'}:{ROOT}"} | variables,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, dict[str, list[float]]] = json.loads(file.read_text())
    return told
