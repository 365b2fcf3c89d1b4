"""The LoRA's part of the demo: a training on a few photos, then the same pictures without it and with it."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console

from infrastructure.local.demo import crosses, orders
from infrastructure.local.demo.client import Api
from infrastructure.local.demo.orders import Made
from infrastructure.local.paths import REPO, venv_python
from snapforge.kit import sheets

COUNT = 4
"""Pictures without it, and as many with it."""


@dataclass(frozen=True)
class Lesson:
    """Photos of one thing, and the words for it."""

    photos: list[Path]
    captions: dict[str, str]
    thing: dict[str, str]
    """The order's name, trigger and subject."""
    prompt: str
    """What to draw when nothing else is asked for: the thing, as no photo shows it."""


def run(api: Api, given: Path | None, prompt: str | None, state: Path, console: Console) -> list[Made]:
    """Train on the photos in `given`, or on pictures that we render; returns the training and the two orders of
    pictures. JobFailed where one of them does not succeed.
    """
    lesson = _rendered(state / "demo" / "crosses", console) if given is None else _own(given)
    capture_id = orders.send(api, lesson.photos, console)
    order = {"kind": "lora", "rights": True, "capture_id": capture_id, "captions": lesson.captions, **lesson.thing}
    (training,) = orders.watch(api, [orders.place(api, order, console)], console)
    known = training["parameters"]
    picture = {"kind": "image", "prompt": prompt or lesson.prompt, "model": known["model"], "count": COUNT, "seed": 7}
    console.print(f"Drawing {picture['prompt']!r}, without the LoRA and with it.")
    placed = [
        orders.place(api, picture, console),
        orders.place(api, picture | {"loras": [{"id": known["lora_id"]}]}, console),
    ]
    results = state / "demo" / "results"
    made = [orders.fetch(api, job, results) for job in (training, *orders.watch(api, placed, console))]
    _compare(made[1:], made[0].files)
    return made


def tell(quality: dict[str, Any], console: Console) -> None:
    """What the training reached."""
    console.print(
        f"\nLoRA: {quality['photos_used']} of {quality['photos_given']} photos used, rank {quality['rank']}, "
        f"{quality['steps']} steps, loss on fixed noise {quality['loss_before']:.2f} before and "
        f"{quality['loss_after']:.2f} after."
    )


def _own(folder: Path) -> Lesson:
    thing = {"name": folder.name[:80] or "mine", "trigger": "mything", "subject": "thing"}
    return Lesson(orders.photos_in(folder), {}, thing, "a photo of mything thing on a wooden table")


def _rendered(folder: Path, console: Console) -> Lesson:
    """Pictures of a cross, which is none of the demo model's shapes."""
    if not (folder / crosses.CAPTIONS).exists():
        with console.status("Rendering 8 pictures of a solid that the demo model does not know …"):
            subprocess.run(
                [str(venv_python("image")), "-m", crosses.__name__, str(folder)],
                cwd=REPO,
                env={**os.environ, "PYTHONPATH": f"{REPO / 'gpu_batch'}:{REPO / 'layers' / 'core'}"},
                check=True,
                stdout=subprocess.DEVNULL,
            )
    captions: dict[str, str] = json.loads((folder / crosses.CAPTIONS).read_text())
    thing = {"name": "Crux", "trigger": "crux", "subject": "solid"}
    return Lesson(
        [folder / name for name in captions], captions, thing, "a large turquoise shiny crux on a wooden table"
    )


def _compare(made: Sequence[Made], files: list[Path]) -> None:
    """Put the pictures of both orders on one sheet beside the training's files: above without it, below with it."""
    pictures = [path for part in made for path in part.files if path.name.startswith("picture")]
    sheet = files[0].with_name("without-and-with.png")
    with Image.open(pictures[0]) as first:
        size = first.size
    sheets.grid(_opened(pictures), len(pictures), COUNT, size).save(sheet)
    files.append(sheet)


def _opened(paths: Sequence[Path]) -> Iterator[Image.Image]:
    for path in paths:
        with Image.open(path) as picture:
            yield picture
