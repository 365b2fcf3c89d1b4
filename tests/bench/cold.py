"""Cold starts: import and first request of every function, each beside a bare boto3 function.

CPU seconds, not wall time: the machine is shared. Every run of ours is followed by one of the peer's, and each side's
least is compared, so that a busy spell hits both.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapforge.kit import ids
from tests.bench import customer as customers
from tests.bench.results import Entry, Section, Table, median
from tests.support import aws

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / "tests" / "bench" / "peers" / "bare_boto3.py"
ROUNDS = 3
NEIGHBOURS = 4


@dataclass(frozen=True)
class Start:
    """The least of a function's cold starts, and of the peer's around it: CPU seconds."""

    name: str
    ours: float
    imports: float
    peer: float
    modules: int
    outcome: str

    @property
    def ratio(self) -> float:
        return self.ours / self.peer


def measure(folder: Path) -> Section:
    """All functions, on an emulator of their own."""
    with aws.running(folder / "emulator"):
        starts = _measure_all(folder)
    ratios = sorted(starts, key=lambda start: start.ratio)
    worst = ratios[-1]
    peer = median(start.peer for start in starts)
    middle = median(start.ratio for start in starts)
    note = "CPU of import + first request; peer: boto3 client, one GetItem"
    return Section(
        "Cold start",
        f"Each function in a fresh process serves its sample event (HTTP routes with a real session token) on the "
        f"emulator; after each run a bare boto3 function with one GetItem does. CPU time without the interpreter's own "
        f"start, least of {ROUNDS} each, the peer's as the median of nine neighbours (it is the same program each "
        f"time); bytecode is cached for both. Waiting for AWS is not in it.",
        (
            Entry("Cold start, median of all functions", middle * peer, peer, 1.6, "s CPU", note),
            Entry("Cold start, worst function", worst.ours, worst.peer, 2.0, "s CPU", f"{worst.name}; {note}"),
        ),
        (
            Table(
                "Every function, slowest first",
                ("function", "ratio", "ms CPU", "of it import", "peer ms", "modules", "outcome"),
                tuple(_row(start) for start in reversed(ratios)),
            ),
        ),
    )


def _row(start: Start) -> tuple[str, ...]:
    numbers = (start.ours * 1000, start.imports * 1000, start.peer * 1000)
    return (start.name, f"{start.ratio:.2f}", *(f"{n:.0f}" for n in numbers), str(start.modules), start.outcome)


def _measure_all(folder: Path) -> list[Start]:
    someone = customers.make()
    functions = sorted((ROOT / "functions").glob("*/*.py"))
    events = folder / "events"
    events.mkdir()
    environment = _environment(folder)
    runs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    # The first round fills the bytecode cache and counts for nothing.
    for number in range(ROUNDS + 1):
        for file in functions:
            # One each: among the functions are those that end every session.
            token = customers.fresh_token(someone)
            name = f"{file.parent.name}/{file.stem}"
            event = events / f"{file.parent.name}-{file.stem}.json"
            event.write_text(_event(name, someone, token))
            run = _run(file, event, environment)
            if number:
                runs.setdefault(name, []).append((run, _run(PEER, event, environment)))
    return _least(runs)


def _least(runs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> list[Start]:
    peers = [min(float(peer["cpu"]) for _, peer in pairs) for pairs in runs.values()]
    starts = []
    for place, (name, pairs) in enumerate(runs.items()):
        ours = min((run for run, _ in pairs), key=lambda run: float(run["cpu"]))
        beside = median(peers[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1])
        starts.append(Start(name, ours["cpu"], ours["import"], beside, ours["modules"], ours["outcome"]))
    return starts


def _event(name: str, someone: customers.Customer, token: str) -> str:
    """The sample, asked by a real customer about a real job."""
    text = (ROOT / "events" / f"{name}.json").read_text()
    text = text.replace(ids.example("job"), someone.job_id).replace(ids.example("org"), someone.org_id)
    event = json.loads(text)
    if "requestContext" in event:
        event["headers"] = event.get("headers", {}) | {"authorization": f"Bearer {token}"}
    return json.dumps(event)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "PYTHONPATH": f"{ROOT / 'layers' / 'core'}:{ROOT}",
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _run(file: Path, event: Path, environment: dict[str, str]) -> dict[str, Any]:
    """One cold start; RuntimeError with its words when the process fails."""
    read, write = os.pipe()
    command = [sys.executable, str(Path(__file__).with_name("cold_child.py")), str(file), str(event)]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec 3>&{write} "$@"', "sh", *command],
        env=environment,
        cwd=ROOT,
        pass_fds=(write,),
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    if done.returncode != 0 or not told:
        raise RuntimeError(f"{file.stem}: {done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(told)
    return result
