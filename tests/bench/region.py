"""The local region at work: how long orchestration takes around a job, and what the region weighs."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from infrastructure.local.demo.client import Api
from infrastructure.local.demo.customer import Customer, sign_up
from infrastructure.local.paths import ACCOUNT, REPO, STAGE
from infrastructure.local.region import Options, Region
from tests.bench.results import Entry, Section, Table, percentile

JOBS = 10
ORDER = {"kind": "image", "prompt": "a red cube", "width": 64, "height": 64, "count": 1, "steps": 1}
LONGEST_SECONDS = 120.0
SETTLED_SECONDS = 5.0


@dataclass(frozen=True)
class Way:
    """Seconds of one job: from the POST's first byte to the worker's claim, from its result to the mail."""

    to_start: float
    work: float
    to_mail: float


def measure(folder: Path) -> Section:
    """Start a region, measure it idle, send jobs one after the other, measure it idle again."""
    with Region(folder / "region", Options(weights=REPO / ".local" / "weights")) as region:
        time.sleep(SETTLED_SECONDS)
        fresh = weight()
        api = Api(region.api_url)
        customer = sign_up(api, region.mail)
        ways = [_one(region, Api(region.api_url, customer.api_key), customer, number) for number in range(JOBS + 1)]
        cold, ways = ways[0], ways[1:]
        _await_idle(region)
        time.sleep(SETTLED_SECONDS)
        used = weight()
    started, mailed = [way.to_start for way in ways], [way.to_mail for way in ways]
    return Section(
        "Local region",
        f"{JOBS} image jobs one after the other by API key, after one that found no warm worker. Work begins and ends "
        "at `started_at` and `ended_at` in the worker's result.json, written before its last report; the mail is "
        "looked for every 20 ms in what SES was given. Wall time, on a shared machine. Memory is the sum of PSS of all "
        "the region's processes, the larger of freshly started and idle again after the jobs, the worker gone.",
        (
            Entry("POST to begin of work, warm, p50", percentile(started, 0.5), None, 1.0, "s", _spread(started)),
            Entry("POST to begin of work, cold", cold.to_start, None, None, "s", "start of Python, torch, a poll"),
            Entry("Worker end to mail, p50", percentile(mailed, 0.5), None, 1.0, "s", _spread(mailed)),
            Entry(
                "Idle memory of the region",
                max(sum(fresh.values()), sum(used.values())),
                None,
                700.0,
                "MB PSS",
                f"fresh {sum(fresh.values()):.0f}, after the jobs {sum(used.values()):.0f}",
            ),
        ),
        (
            Table(
                "Each job, seconds",
                ("POST to begin of work", "work", "end of work to mail"),
                tuple((f"{way.to_start:.2f}", f"{way.work:.1f}", f"{way.to_mail:.2f}") for way in ways),
            ),
            Table(
                "Memory by process after the jobs, MB PSS",
                ("process", "MB"),
                tuple((name, f"{megabytes:.0f}") for name, megabytes in sorted(used.items())),
            ),
        ),
    )


def weight() -> dict[str, float]:
    """Megabytes (10⁶ bytes) of PSS of this process's descendants, by program."""
    found: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            words = process.cmdline()
            size = process.memory_full_info().pss / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            continue
        name = next(
            (word for word in words if word.startswith("infrastructure.")), Path(words[-1]).name if words else ""
        )
        found[name] = found.get(name, 0.0) + size
    return found


def _one(region: Region, api: Api, customer: Customer, number: int) -> Way:
    sent = time.time()
    job = api.call("create_job", body=ORDER | {"seed": number}).json
    mailed = _mail(region, customer, job["id"])
    started, ended = _worked(region, job["id"])
    return Way(started - sent, ended - started, mailed - ended)


def _await_idle(region: Region) -> None:
    """Until the warm worker has left: nobody sends it work."""
    batch, deadline = region.client("batch"), time.time() + LONGEST_SECONDS
    while time.time() < deadline:
        if not batch.list_jobs(jobQueue=f"snapforge-{STAGE}-images", jobStatus="RUNNING")["jobSummaryList"]:
            return
        time.sleep(0.5)
    raise RuntimeError("the warm worker does not leave")


def _mail(region: Region, customer: Customer, job_id: str) -> float:
    """When the job's own mail was there. RuntimeError when none came, or one of failure."""
    deadline = time.time() + LONGEST_SECONDS
    while time.time() < deadline:
        for mail in region.mail():
            if customer.email in mail["to"] and job_id in mail["text"] + mail["html"]:
                if "ready" not in mail["subject"]:
                    raise RuntimeError(f"{job_id}: {mail['subject']}\n{mail['text']}")
                return time.time()
        time.sleep(0.02)
    raise RuntimeError(f"no mail about {job_id} within {LONGEST_SECONDS:.0f} s")


def _worked(region: Region, job_id: str) -> tuple[float, float]:
    """`usage.started_at` and `ended_at` of the job's result.json, as epoch seconds."""
    s3, bucket = region.client("s3"), f"snapforge-{STAGE}-assets-{ACCOUNT}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    key = next(key for key in keys if job_id in key and key.endswith("result.json"))
    usage: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["usage"]
    return _epoch(usage["started_at"]), _epoch(usage["ended_at"])


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _spread(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} … {max(seconds):.2f} s"
