"""`make run`: start the local region, order a 3D model and pictures as a customer would, and stay up.

--photos FOLDER takes your own photos; --no-wait exits after the work; --only scene|image does one kind.
"""

import argparse
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from infrastructure.local.demo.client import MEDIA_TYPES, Api, ApiError
from infrastructure.local.demo.customer import Customer, sign_up, wait_for_mail
from infrastructure.local.paths import REPO, Missing
from infrastructure.local.ports import PortTaken
from infrastructure.local.region import EmulatorFailed, InUse, Options, Region, RegionFailed

PROMPT = "a large red metal sphere on a wooden table"
"""In words that the demo model knows."""
COUNT = 32
"""Photos that our own renderer makes when no folder is given."""


@dataclass(frozen=True)
class Made:
    """A finished job and where its files lie."""

    job: dict[str, Any]
    files: list[Path]


def main() -> int:
    """Run the demo; 0 when all that was asked succeeded."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos of one object (default: photos we render)")
    parser.add_argument("--no-wait", action="store_true", help="exit when the work is done")
    parser.add_argument("--only", choices=["scene", "image"], help="do one kind of job")
    parser.add_argument("--preset", choices=["draft", "standard", "high"], default="draft")
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--state", type=Path, default=REPO / ".local", help="state folder (default: .local)")
    parser.add_argument("--port", type=int, help="port of the site (default: the last one, or a free one)")
    chosen = parser.parse_args()
    console = Console(log_path=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: _interrupt(stop))
    region = Region(chosen.state, Options(port=chosen.port))
    try:
        with console.status("Starting the local region …"):
            region.start()
    except (InUse, Missing, PortTaken, EmulatorFailed, RegionFailed) as error:
        console.print(f"[red]The local region cannot start:[/] {error}")
        return 1
    try:
        return _work_and_wait(region, chosen, console, stop)
    except KeyboardInterrupt:
        console.print("Interrupted. What was started goes on at the next start.")
        return 130
    finally:
        console.print("Stopping …")
        region.stop()


def _interrupt(stop: threading.Event) -> None:
    stop.set()
    raise KeyboardInterrupt


def _work_and_wait(region: Region, chosen: argparse.Namespace, console: Console, stop: threading.Event) -> int:
    console.print(f"API {region.api_url}/v1 · mail {region.api_url}/_mail · docs {region.api_url}/docs/")
    failed = False
    try:
        customer = sign_up(Api(region.api_url), region.mail)
        console.print(f"Customer {customer.email}, org {customer.org_id}, with an API key.")
        _do_jobs(region, Api(region.api_url, customer.api_key), customer, chosen, console)
    except (ApiError, TimeoutError, JobFailed) as error:
        console.print(f"[red]Failed:[/] {error}")
        failed = True
    if not chosen.no_wait:
        console.print(f"\n[bold]Ready:[/] {region.api_url} (Ctrl-C stops everything)")
        while not stop.wait(0.3) and region.failure() is None:
            pass
    return int(failed)


class JobFailed(RuntimeError):
    """A job ended otherwise than by success."""


def _do_jobs(region: Region, api: Api, customer: Customer, chosen: argparse.Namespace, console: Console) -> None:
    jobs = []
    if chosen.only != "image":
        photos = _photos(chosen, console)
        jobs.append(_order_scene(api, photos, chosen.preset, console))
    if chosen.only != "scene":
        order = {"kind": "image", "prompt": chosen.prompt, "count": 2, "seed": 7}
        jobs.append(_order(api, order, console))
    made = [_download(api, job, chosen.state) for job in _watch(api, jobs, console)]
    _report(region, api, customer, made, console)


def _photos(chosen: argparse.Namespace, console: Console) -> list[Path]:
    if chosen.photos is not None:
        found = sorted(path for path in chosen.photos.glob("*") if path.suffix.lower() in MEDIA_TYPES)
        if not found:
            raise ApiError(0, {"detail": f"{chosen.photos} holds no photos ({', '.join(MEDIA_TYPES)})."})
        return found
    folder: Path = chosen.state / "demo" / "photos"
    if len(list(folder.glob("*.jpg"))) < COUNT:
        with console.status(f"Rendering {COUNT} photos of a textured object with our own renderer …"):
            _render(folder)
    return sorted(folder.glob("*.jpg"))


def _render(folder: Path) -> None:
    python = REPO / ".venvs" / "scene" / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [str(python), "-m", "infrastructure.local.demo.render", str(folder), "--count", str(COUNT)],
        cwd=REPO,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _order_scene(api: Api, photos: list[Path], preset: str, console: Console) -> str:
    capture_id = api.call("create_capture", body={"name": "demo"}).json["id"]
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
    return _order(api, {"kind": "scene", "capture_id": capture_id, "preset": preset}, console)


def _order(api: Api, order: dict[str, Any], console: Console) -> str:
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


def _watch(api: Api, job_ids: list[str], console: Console) -> list[dict[str, Any]]:
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


def _download(api: Api, job: dict[str, Any], state: Path) -> Made:
    folder = state / "demo" / "results" / job["id"]
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for file in job["results"]["files"]:
        path = folder / file["name"]
        api.download(file["url"], path)
        files.append(path)
    return Made(job, files)


def _report(region: Region, api: Api, customer: Customer, made: list[Made], console: Console) -> None:
    for part in made:
        quality = part.job["results"].get("quality")
        if quality:
            console.print(
                f"\nQuality: {quality['photos_registered']} of {quality['photos_given']} photos registered, "
                f"{quality['reprojection_error_px']:.2f} px, {quality['psnr_object_db']:.1f} dB on "
                f"{quality['held_out_views']} held-out views, {quality['faces']} faces, masks: {quality['masks']}."
            )
        for note in part.job["results"].get("notes", ()):
            console.print(f"[yellow]{note}[/]")
        for path in part.files:
            console.print(f"  {path}  {path.stat().st_size / 1024:.0f} KiB")
        subject = "model is ready" if part.job["kind"] == "scene" else "pictures are ready"
        wait_for_mail(region.mail, customer.email, subject=subject)
    receipt = Table("Job", "Kind", "Held", "Charged", "Seconds", "Machine", "Attempts", title="Receipt")
    for part in made:
        cost = part.job["receipt"]
        receipt.add_row(
            part.job["id"],
            part.job["kind"],
            str(cost["credits"]),
            str(cost["charged"]),
            f"{cost['gpu_seconds']:.0f}",
            ", ".join(cost["instances"]),
            str(cost["attempts"]),
        )
    console.print(receipt)
    balance = api.get("get_balance")
    console.print(f"Credits: {balance['available']} available, {balance['held']} held. Mail: {region.api_url}/_mail")


if __name__ == "__main__":
    sys.exit(main())
