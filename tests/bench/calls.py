"""AWS calls and consumed capacity per endpoint, counted on the emulator."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.results import Entry, Section, Table
from tests.support import aws

ROOT = Path(__file__).resolve().parents[2]
Calls = list[tuple[str, float, float]]
READS = ("jobs/get_job", "jobs/list_jobs", "billing/get_balance", "billing/list_journals", "assets/list_assets")


def measure(folder: Path) -> Section:
    """Count; nothing here depends on the machine."""
    file = folder / "calls.json"
    with aws.running(folder / "emulator-of-calls"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.calls_child", str(file)],
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'layers' / 'core'}:{ROOT}"},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, dict[str, Calls]] = json.loads(file.read_text())
    worst_read = max(READS, key=lambda place: len(told[place]["session"]))
    more = max(len(found["key"]) - len(found["session"]) for found in told.values())
    created = told["jobs/create_job"]["session"]
    return Section(
        "AWS calls and capacity",
        "Counted by botocore's hooks in a warm process: a session's standing is cached for five seconds, secrets for "
        "five minutes. Capacity is reckoned from the items that were sent and answered, by AWS's published rules "
        "(indexes and the doubled units of transactions included), since the emulator's figures leave those out.",
        (
            Entry("AWS calls of POST /v1/jobs, session token", len(created), None, 2, "calls", _names(created)),
            Entry("AWS calls of a read, session token, the most", len(told[worst_read]["session"]), None, 1, "calls"),
            Entry("Further AWS calls with an API key, the most", more, None, 1, "calls"),
            Entry(
                "Write units of POST /v1/jobs",
                sum(c[2] for c in created),
                None,
                None,
                "WCU",
                "six puts, doubled as a transaction, and their indexes",
            ),
        ),
        (
            Table(
                "Every endpoint measured",
                ("endpoint", "calls, session", "RCU", "WCU", "calls, API key", "RCU", "WCU"),
                tuple((place, *_row(found["session"]), *_row(found["key"])) for place, found in told.items()),
            ),
        ),
    )


def _row(calls: Calls) -> tuple[str, ...]:
    return f"{len(calls)}: {_names(calls)}", f"{sum(c[1] for c in calls):g}", f"{sum(c[2] for c in calls):g}"


def _names(calls: Calls) -> str:
    return ", ".join(call[0] for call in calls)
