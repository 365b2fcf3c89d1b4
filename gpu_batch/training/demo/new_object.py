"""`python -m training.demo.new_object`: a LoRA on the demo model learns a shape that it never saw, from eight pictures.

The pictures are rendered as those of the training are; the worker's own code encodes, trains and draws, with the
numbers that the catalogue orders for this model. A checker that knows the new shape reads what is drawn, with the LoRA
and without it, also in colours and places that the eight do not show.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPE, TRIGGER = "cross", "crux"
SEEN = ("red", "yellow", "green", "blue", "purple", "white", "orange", "black")
"""A colour for each picture."""
UNSEEN = ("turquoise", "pink")
_ORDERS = 80


@dataclass(frozen=True)
class Learned:
    """Shares of pictures in which the new shape is seen, by where; losses on fixed noise before and after."""

    without: dict[str, Any]
    seen_colours: dict[str, Any]
    unseen_colours: dict[str, Any]
    colour_kept: dict[str, Any]
    """Of the pictures with the LoRA: the colour is the one that was asked for."""
    losses: tuple[float, float]


def main() -> None:
    """Parse, train, measure, tell."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    parser = argparse.ArgumentParser(prog="python -m training.demo.new_object", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the demo model's folder")
    parser.add_argument("--work", type=Path, default=Path(".local/demo-model/new-object"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    losses = learn(given.model, given.work, given.steps, given.rank, given.rate, given.seed)
    found = measure(given.model, given.work, losses, given.seed)
    (given.work / "learned.json").write_text(json.dumps(asdict(found), indent=1) + "\n")
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


def lesson(seed: int) -> tuple[list[Any], list[str]]:
    """Eight pictures of the new shape, (128, 128, 3) each, in eight colours, and their captions."""
    from training.demo.pictures import BACKGROUNDS, MATERIALS, Scene, render, views
    from training.demo.solids import NEW_SOLIDS
    from training.demo.words import BACKGROUND_WORDS

    rng = np.random.default_rng(seed)
    sides = views(len(SEEN), NEW_SOLIDS)[SHAPE]
    backgrounds = list(BACKGROUNDS)
    scenes = [
        Scene(SHAPE, colour, MATERIALS[index % 3], backgrounds[index % len(backgrounds)], ("small", "large")[index % 2])
        for index, colour in enumerate(SEEN)
    ]
    pictures = [render(scene, sides, 128, 128, rng) for scene in scenes]
    captions = [
        f"a {scene.size} {scene.colour} {scene.material} {TRIGGER} {BACKGROUND_WORDS[scene.background][0]}"
        for scene in scenes
    ]
    return pictures, captions


def learn(model: Path, work: Path, steps: int, rank: int, rate: float, seed: int) -> tuple[float, float]:
    """Train the adapter as the worker's stages do; leaves adapter.safetensors, returns the losses before and after."""
    from worker.engines.lora import adapter, base_model, examples, presets, training
    from worker.engines.lora.families import family_of

    pictures, captions = lesson(seed)
    pipeline = base_model.load(model, "cpu", only="all")
    family = family_of(type(pipeline).__name__)
    made, nothing = examples.encode(pipeline, family, pictures, captions, 128, lambda share: None)
    plan = training.Plan(
        rank, steps, rate, seed, presets.batch_size("cpu", reduced=False), shift=pipeline.scheduler.config.shift
    )
    before = training.fixed_loss(pipeline.transformer, family, made, seed)
    kept = work / "training.pt"
    kept.unlink(missing_ok=True)
    training.train(
        pipeline.transformer, family, made, nothing, plan, kept, _told(steps), lambda path: None, lambda: False
    )
    after = training.fixed_loss(pipeline.transformer, family, made, seed)
    header = adapter.Header(family.name, adapter.transformer_width(pipeline.transformer), rank, TRIGGER)
    adapter.write(work / "adapter.safetensors", type(pipeline), pipeline.transformer, header)
    return before, after


def _told(steps: int) -> Any:
    def tick(step: int, loss: float) -> None:
        if step % 50 == 0:
            sys.stderr.write(f"step {step} of {steps}, loss {loss:.3f}\n")

    return tick


def measure(model: Path, work: Path, losses: tuple[float, float], seed: int) -> Learned:
    """Draw with and without the adapter, and read. Leaves sheet.png: above without, below with it."""
    from training.demo.pictures import MATERIALS
    from training.demo.score import drawn, fit_checker, load, share
    from training.demo.solids import NEW_SOLIDS, SOLIDS
    from training.demo.words import BACKGROUND_WORDS
    from worker.engines.image.adapters import Adapter, Adapters
    from worker.tools import sha256

    checker, _ = fit_checker(1500, seed + 300, SOLIDS | NEW_SOLIDS)
    rng = np.random.default_rng(seed + 1)
    backgrounds = [words[0] for words in BACKGROUND_WORDS.values()]

    def orders(colours: tuple[str, ...], count: int) -> list[tuple[str, str]]:
        return [
            (colour, f"a {colour} {rng.choice(MATERIALS)} {TRIGGER} {rng.choice(backgrounds)}")
            for colour in (colours[index % len(colours)] for index in range(count))
        ]

    pipeline = load(model)
    path = work / "adapter.safetensors"
    adapters = Adapters(pipeline)
    seen, unseen = orders(SEEN, _ORDERS), orders(UNSEEN, _ORDERS)
    plain = drawn(pipeline, [prompt for _, prompt in unseen], seed)
    adapters.use([Adapter(TRIGGER, sha256(path), path, 1.0)])
    pictures = {"seen": drawn(pipeline, [prompt for _, prompt in seen], seed)}
    pictures["unseen"] = drawn(pipeline, [prompt for _, prompt in unseen], seed)
    _sheet(plain[:8], pictures["unseen"][:8], work / "sheet.png")

    def right(some: list[Any]) -> dict[str, Any]:
        return asdict(share(sum(checker.read(one).shape == SHAPE for one in some), len(some)))

    asked = [colour for colour, _ in seen + unseen]
    colours = [checker.read(one).colour for one in pictures["seen"] + pictures["unseen"]]
    kept = share(sum(a == b for a, b in zip(asked, colours, strict=True)), len(asked))
    return Learned(right(plain), right(pictures["seen"]), right(pictures["unseen"]), asdict(kept), losses)


def _sheet(above: list[Any], below: list[Any], file: Path) -> None:
    from PIL import Image

    Image.fromarray(np.concatenate([np.concatenate(above, axis=1), np.concatenate(below, axis=1)])).save(file)


if __name__ == "__main__":
    main()
