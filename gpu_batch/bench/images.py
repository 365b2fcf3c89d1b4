"""The warm worker's drawing against a stock diffusers loop, and each speed lever alone: same model, machine, requests.

Run from the repository's root in the image environment, with PYTHONPATH=gpu_batch:layers/core:. as

    python -m bench.images [--turns 3] [--micro-batch 8]

Prints one JSON line a measure: {name, ours, peer, ratio, aim, met, unit, note}. The model is the tiny FLUX.1 of real
classes (worker.engines.image.untrained). Ours is the worker's own choice of micro-batches, engine and writing of PNG
files; the queues and S3 are left out, as they are for the peer, which calls its pipeline once a request and saves.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

# As in the worker: threads sleep while they wait. For both sides, before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from worker.engines.base import Drawing, ImageEngine
from worker.engines.image.batches import Batches
from worker.engines.image.flux import Flux
from worker.engines.image.loader import load_pipeline
from worker.engines.image.optimizations import Optimizations
from worker.engines.image.untrained import build
from worker.stages.image import finish
from worker.warm.in_flight_job import BatchKey
from worker.warm.selection import choose
from worker.warm.worker import BATCHES_AHEAD

_REQUESTS = 64
_SIZES = ((128, 128), (192, 128), (256, 256))
_STEPS = (4, 8)
_AIM = 1 / 1.5
"""Of the seconds: at least one and a half times the throughput."""
_OPTIMIZATIONS = (
    ("bf16", Optimizations(dtype="bf16")),
    ("regional compile", Optimizations(compile=True)),
    ("attention _native_math", Optimizations(attention="_native_math")),
    ("step cache 0.1", Optimizations(step_cache=0.1)),
    ("channels last", Optimizations(channels_last=True)),
)


@dataclass
class Request:
    """One picture that somebody waits for; as `worker.warm.selection.Waiting`."""

    drawing: Drawing
    seed: int
    arrived: float
    missing: list[int]
    priority: int = 0

    @property
    def key(self) -> BatchKey:
        """Who may be drawn beside it."""
        requested = self.drawing
        return BatchKey(
            "flux-schnell", False, requested.width, requested.height, requested.steps, requested.guidance, ()
        )


def requests() -> list[Request]:
    """Sizes and steps by turns, every prompt another."""
    return [
        Request(
            Drawing(
                f"picture {number} of a chair", "", *_SIZES[number % len(_SIZES)],
                steps=_STEPS[number // len(_SIZES) % len(_STEPS)], guidance=0.0,
            ),
            number, float(number), [0],
        )
        for number in range(_REQUESTS)
    ]  # fmt: skip


def ours(engine: ImageEngine, wanted: Sequence[Request], folder: pathlib.Path, micro_batch: int) -> None:
    """As `worker.warm.worker`: a limited number in flight, micro-batches by the rule, writing beside the drawing."""
    in_flight, queue, turn = list[Request](), list(wanted), 0
    with ThreadPoolExecutor(4) as pool:
        while queue or in_flight:
            free = BATCHES_AHEAD * micro_batch - len(in_flight)
            in_flight, queue = in_flight + queue[:free], queue[free:]
            shares = choose(in_flight, micro_batch, None, turn, time.monotonic())
            drawn = [share.job for share in shares]
            pictures = engine.draw([one.drawing for one in drawn], [one.seed for one in drawn], lambda *_: ())
            for one, picture in zip(drawn, pictures, strict=True):
                in_flight.remove(one)
                pool.submit(finish.write, picture, folder / f"{one.seed}.png")
            turn += 1


def peer(pipeline: Any, wanted: Sequence[Request], folder: pathlib.Path) -> None:
    """diffusers as its documentation shows it: the pipeline called once a request, the picture saved."""
    import torch

    for one in wanted:
        picture = pipeline(
            prompt=one.drawing.prompt,
            width=one.drawing.width,
            height=one.drawing.height,
            num_inference_steps=one.drawing.steps,
            guidance_scale=one.drawing.guidance,
            generator=torch.Generator("cpu").manual_seed(one.seed),
        ).images[0]
        picture.save(folder / f"{one.seed}.png")


def seconds(operation: Callable[[], object]) -> float:
    """Wall time."""
    begun = time.monotonic()
    operation()
    return time.monotonic() - begun


def throughput(model: pathlib.Path, folder: pathlib.Path, turns: int, micro_batch: int) -> dict[str, Any]:
    """By turns, medians of each side; one request of each kind beforehand."""
    mine = Batches(Flux(load_pipeline(model, "cpu", Optimizations.read("cpu"), reduced=False)), ())
    stock = load_pipeline(model, "cpu", Optimizations(), reduced=False)
    stock.set_progress_bar_config(disable=True)
    few = requests()[: len(_SIZES)]
    ours(mine, few, folder, micro_batch)
    peer(stock, few, folder)
    sides: tuple[list[float], list[float]] = ([], [])
    cpu = [0.0, 0.0]
    for turn in range(turns):
        # Fresh prompts each turn: none is in the engine's cache.
        wanted = [
            replace(one, drawing=replace(one.drawing, prompt=f"{turn} {one.drawing.prompt}")) for one in requests()
        ]
        begun = time.process_time()
        sides[0].append(seconds(lambda wanted=wanted: ours(mine, wanted, folder, micro_batch)))
        between = time.process_time()
        sides[1].append(seconds(lambda wanted=wanted: peer(stock, wanted, folder)))
        cpu = [cpu[0] + between - begun, cpu[1] + time.process_time() - between]
    mine_s, stock_s = (statistics.median(side) for side in sides)
    lowest, highest = (pick(theirs / own for own, theirs in zip(*sides, strict=True)) for pick in (min, max))
    return line(
        "image throughput, 64 mixed requests", mine_s, stock_s, _AIM, "s",
        f"{stock_s / mine_s:.2f} times the pictures of a stock diffusers loop "
        f"(single turns {lowest:.2f} … {highest:.2f}, "
        f"by CPU seconds {cpu[1] / cpu[0]:.2f}); sizes "
        f"{', '.join(f'{width}x{height}' for width, height in _SIZES)}, steps {_STEPS}, micro-batch {micro_batch}",
    )  # fmt: skip


def optimizations(model: pathlib.Path) -> list[dict[str, Any]]:
    """Seconds of a 256 px picture of 8 steps, drawn alone, with one lever and with none; warmed up first."""
    drawing = Drawing("a chair", "", 256, 256, 8, 0.0)
    plain = Batches(Flux(load_pipeline(model, "cpu", Optimizations(), reduced=False)), ())
    lines = []
    for name, lever in _OPTIMIZATIONS:
        engine = Batches(Flux(load_pipeline(model, "cpu", lever, reduced=False)), ())
        started = seconds(lambda engine=engine: engine.draw([drawing], [0], lambda *_: ()))
        with_it, without = alternate(engine, plain, [drawing])
        lines.append(line(f"lever {name}", with_it, without, None, "s a picture", f"first picture {started:.1f} s"))
    for size in (2, 4, 8):
        together, alone = alternate(plain, plain, [drawing] * size)
        lines.append(
            line(f"micro-batch {size}", together / size, alone / size, None, "s a picture", "peer: one by one")
        )
    return lines


def alternate(engine: ImageEngine, plain: ImageEngine, drawings: Sequence[Drawing]) -> tuple[float, float]:
    """Seconds of `engine` for all at once and of `plain` one by one, the least of five by turns."""
    seeds = count()
    mine, theirs = [], []
    for _ in range(5):
        numbers = [next(seeds) for _ in drawings]
        mine.append(seconds(lambda numbers=numbers: engine.draw(drawings, numbers, lambda *_: ())))
        theirs.append(
            seconds(lambda numbers=numbers: [plain.draw([drawings[0]], [number], lambda *_: ()) for number in numbers])
        )
    return min(mine), min(theirs)


def line(name: str, own: float, other: float, aim: float | None, unit: str, note: str) -> dict[str, Any]:
    """One measure; the ratio is ours through the peer's, and `aim` its upper limit."""
    ratio = round(own / other, 3)
    met = None if aim is None else ratio <= aim
    return {
        "name": name, "ours": round(own, 4), "peer": round(other, 4), "ratio": ratio, "aim": aim, "met": met,
        "unit": unit, "note": note,
    }  # fmt: skip


def main() -> int:
    """Build the model, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument("--no-optimizations", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        folder = pathlib.Path(base)
        model = build(folder)
        lines = [throughput(model, folder, chosen.turns, chosen.micro_batch)]
        print(json.dumps(lines[0]), flush=True)
        for entry in [] if chosen.no_optimizations else optimizations(model):
            print(json.dumps(entry), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
