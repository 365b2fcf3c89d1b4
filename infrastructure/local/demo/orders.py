"""A customer's orders at a terminal: photos sent, jobs ordered at their quoted price, watched, and fetched."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from infrastructure.local.demo.client import MEDIA_TYPES, Api, ApiError


class JobFailed(RuntimeError):
    """A job ended otherwise than by success."""


@dataclass(frozen=True)
class Made:
    """A finished job and where its files lie."""

    job: dict[str, Any]
    files: list[Path]


def photos_in(folder: Path) -> list[Path]:
    """The customer's own photos, by name. ApiError where there are none."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in MEDIA_TYPES)
    if not found:
        raise ApiError(0, {"detail": f"{folder} holds no photos ({', '.join(MEDIA_TYPES)})."})
    return found


def send(api: Api, photos: list[Path], console: Console) -> str:
    """Send photos to a new capture and wait until all are checked; returns its id."""
    capture_id = str(api.call("create_capture", body={"name": "demo"}).json["id"])
    with Progress(TextColumn("Uploading"), BarColumn(), DownloadColumn(), console=console) as bar:
        task = bar.add_task("upload", total=sum(photo.stat().st_size for photo in photos))
        api.upload(photos, capture_id=capture_id, done=lambda sent: bar.advance(task, sent))
    with console.status("Photos are being checked …"):
        capture = api.wait_for_capture(capture_id)
    counts = capture["counts"]
    console.print(f"Photos: {counts['usable']} usable, {counts['refused']} refused.")
    for photo in capture["photos"]:
        if photo.get("refused"):
            console.print(f"  {photo['name']}: {photo['refused']['reason']} {photo['refused']['fix']}")
    return capture_id


def place(api: Api, order: dict[str, Any], console: Console) -> str:
    """Preview, accept the quote, create; returns the job's id."""
    preview = api.call("preview_job", body=order).json
    while preview["status"] == "checking":
        time.sleep(0.5)
        preview = api.get("get_preview", preview_id=preview["id"])
    _tell_findings(preview["findings"], console)
    console.print(f"{order['kind']}: {preview['credits']} credits, about {preview['predicted_seconds']} s.")
    job: dict[str, Any] = api.call("create_job", body=order | {"quote": preview["quote"]}).json
    return str(job["id"])


def _tell_findings(findings: list[dict[str, Any]], console: Console) -> None:
    """What the pre-flight found, one line for all photos with the same."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for finding in findings:
        by_code.setdefault(finding["code"], []).append(finding)
    for code, found in by_code.items():
        more = f" (and {len(found) - 1} more: {code})" if len(found) > 1 else ""
        console.print(f"  {found[0]['message']}{more}")


def watch(api: Api, job_ids: Sequence[str], console: Console) -> list[dict[str, Any]]:
    """Show the jobs' progress side by side until all have ended; returns them. JobFailed where one did not succeed."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    final: dict[str, dict[str, Any]] = {}
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        tasks = {job_id: bar.add_task("waiting", total=100) for job_id in job_ids}
        threads = [
            threading.Thread(target=_follow, args=(api, job_id, bar, task, final), daemon=True)
            for job_id, task in tasks.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    for job_id in job_ids:
        job = final.get(job_id)
        if job is None or job["state"] != "succeeded":
            failure = (job or {}).get("failure") or {"message": "no answer", "fix": ""}
            raise JobFailed(f"{job_id}: {failure['message']} {failure['fix']}")
    return [final[job_id] for job_id in job_ids]


def _follow(api: Api, job_id: str, bar: Progress, task: TaskID, final: dict[str, dict[str, Any]]) -> None:
    for job in Api(api.base_url, api.token).watch(job_id):
        progress = job["progress"]
        text = f"{job['kind']}: {progress['stage']}" if job["state"] == "running" else f"{job['kind']}: {job['state']}"
        bar.update(task, completed=progress["percent"], description=f"{text:<24}")
        final[job_id] = job


def fetch(api: Api, job: dict[str, Any], results: Path) -> Made:
    """Download a job's files to a folder of its own below `results`. A LoRA's weights are no file of the customer's."""
    folder = results / job["id"]
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for file in job["results"]["files"]:
        path = folder / file["name"]
        api.download(file["url"], path)
        files.append(path)
    return Made(job, files)
