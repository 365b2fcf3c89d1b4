"""`make run`: start the local region, order a 3D model and pictures as a customer would, and stay up.

--photos FOLDER takes your own photos; --no-wait exits after the work; --only scene|image does one kind; --only lora
trains a LoRA on a few photos, and draws without it and with it.
"""

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infrastructure.local.demo import lora, orders
from infrastructure.local.demo.client import Api, ApiError
from infrastructure.local.demo.customer import Customer, sign_up, wait_for_mail
from infrastructure.local.demo.orders import JobFailed, Made
from infrastructure.local.paths import REPO, Missing
from infrastructure.local.ports import PortTaken
from infrastructure.local.region import EmulatorFailed, InUse, Options, Region, RegionFailed

PROMPT = "a large red metal sphere on a wooden table"
"""In words that the demo model knows."""
COUNT = 32
"""Photos that our own renderer makes when no folder is given."""
SUBJECTS = {"scene": "model is ready", "image": "pictures are ready", "lora": "LoRA is ready"}
"""Of the mail that tells of a job, by its kind."""


def main() -> int:
    """Run the demo; 0 when all that was asked succeeded."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos of one object (default: photos we render)")
    parser.add_argument("--no-wait", action="store_true", help="exit when the work is done")
    parser.add_argument("--only", choices=["scene", "image", "lora"], help="do one kind of job")
    parser.add_argument("--preset", choices=["draft", "standard", "high"], default="draft")
    parser.add_argument("--prompt", help=f"what to draw (default: {PROMPT!r}, or what the LoRA has learnt)")
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


def _do_jobs(region: Region, api: Api, customer: Customer, chosen: argparse.Namespace, console: Console) -> None:
    if chosen.only == "lora":
        made = lora.run(api, chosen.photos, chosen.prompt, chosen.state, console)
    else:
        made = _scene_and_pictures(api, chosen, console)
    _report(region, api, customer, made, console)


def _scene_and_pictures(api: Api, chosen: argparse.Namespace, console: Console) -> list[Made]:
    jobs = []
    if chosen.only != "image":
        capture_id = orders.send(api, _photos(chosen, console), console)
        scene = {"kind": "scene", "capture_id": capture_id, "preset": chosen.preset}
        jobs.append(orders.place(api, scene, console))
    if chosen.only != "scene":
        pictures = {"kind": "image", "prompt": chosen.prompt or PROMPT, "count": 2, "seed": 7}
        jobs.append(orders.place(api, pictures, console))
    return [orders.fetch(api, job, chosen.state / "demo" / "results") for job in orders.watch(api, jobs, console)]


def _photos(chosen: argparse.Namespace, console: Console) -> list[Path]:
    if chosen.photos is not None:
        return orders.photos_in(chosen.photos)
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


def _report(region: Region, api: Api, customer: Customer, made: list[Made], console: Console) -> None:
    noted: set[str] = set()
    for part in made:
        quality = part.job["results"].get("quality")
        if quality:
            console.print(
                f"\nQuality: {quality['photos_registered']} of {quality['photos_given']} photos registered, "
                f"{quality['reprojection_error_px']:.2f} px, {quality['psnr_object_db']:.1f} dB on "
                f"{quality['held_out_views']} held-out views, {quality['faces']} faces, masks: {quality['masks']}."
            )
        if learnt := part.job["results"].get("lora"):
            lora.tell(learnt, console)
        for note in part.job["results"].get("notes", ()):
            if note not in noted:
                console.print(f"[yellow]{note}[/]")
        noted.update(part.job["results"].get("notes", ()))
        for path in part.files:
            console.print(f"  {path}  {path.stat().st_size / 1024:.0f} KiB")
        wait_for_mail(region.mail, customer.email, subject=SUBJECTS[part.job["kind"]])
    console.print(_receipt(made))
    balance = api.get("get_balance")
    console.print(f"Credits: {balance['available']} available, {balance['held']} held. Mail: {region.api_url}/_mail")


def _receipt(made: list[Made]) -> Table:
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
    return receipt


if __name__ == "__main__":
    sys.exit(main())
