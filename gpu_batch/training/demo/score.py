"""How often a model draws what it was asked for: shape, colour and background, read back by the checker."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.demo.checker import Checker, Reading
from training.demo.data import FORMATS, Part, parts
from training.demo.pictures import COLOURS, Picture, Scene, random_scene
from training.demo.solids import SOLIDS, Solid
from training.demo.words import BACKGROUND_WORDS, describe, held_out, seen_pairs

STEPS = 12
_AT_ONCE = 12
_LEARNT_TURNS, _FRESH_TURNS = 24, 17
"""The checker learns from many more sides than the model, and is examined on others yet."""


@dataclass(frozen=True)
class Share:
    """How many of how many, with the 95 % interval of Wilson."""

    right: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """Agreement of readings with what was asked. `background` counts only prompts that name one."""

    shape: Share
    colour: Share
    both: Share
    background: Share


def share(right: int, of: int) -> Share:
    """A share with its interval (Wilson 1927), z = 1.96."""
    if not of:
        return Share(0, 0, 0.0, 0.0, 1.0)
    z, p = 1.96, right / of
    middle, reach = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = ((middle + side * reach) / (1 + z * z / of) for side in (-1, 1))
    return Share(right, of, round(p, 4), round(low, 4), round(high, 4))


def agreement(readings: Sequence[Reading], scenes: Sequence[Scene], prompts: Sequence[str] | None = None) -> Score:
    """Readings against scenes; with prompts, only those that name the background count for it."""
    pairs = list(zip(readings, scenes, strict=True))
    shape = [seen.shape == scene.shape for seen, scene in pairs]
    colour = [seen.colour == scene.colour for seen, scene in pairs]
    named = [
        (seen, scene)
        for index, (seen, scene) in enumerate(pairs)
        if prompts is None or any(words in prompts[index] for words in BACKGROUND_WORDS[scene.background])
    ]
    return Score(
        share(sum(shape), len(pairs)),
        share(sum(colour), len(pairs)),
        share(sum(a and b for a, b in zip(shape, colour, strict=True)), len(pairs)),
        share(sum(seen.background == scene.background for seen, scene in named), len(named)),
    )


def fit_checker(count: int, seed: int, solids: Mapping[str, Solid] = SOLIDS) -> tuple[Checker, Score]:
    """A checker that learned from `count` renders of all pairs, and how right it is on fresh ones."""
    pairs = [(shape, colour) for shape in solids for colour in COLOURS]
    checker = Checker(tuple(solids))
    checker.fit(*_joined(parts(count, pairs, seed, turns=_LEARNT_TURNS, solids=solids)), seed)
    fresh = parts(max(40, count // 5), pairs, seed + 1, turns=_FRESH_TURNS, solids=solids)
    pictures, scenes = _joined(fresh)
    return checker, agreement([checker.read(picture) for picture in pictures], scenes)


def _joined(made: Sequence[Part]) -> tuple[list[Picture], list[Scene]]:
    return [picture for part in made for picture in part.pictures], [scene for part in made for scene in part.scenes]


def orders(count: int, pairs: list[tuple[str, str]], seed: int) -> list[tuple[str, Scene]]:
    """Prompts in many wordings with what they ask for: the pairs in turn, the rest by chance."""
    rng = np.random.default_rng(seed)
    scenes = [random_scene(rng, [pairs[index % len(pairs)]]) for index in range(count)]
    return [(describe(scene, rng), scene) for scene in scenes]


def load(folder: Path) -> Any:
    """The pipeline as the worker loads it."""
    diffusers: Any = import_module("diffusers")  # half typed
    pipeline = diffusers.DiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.inference_mode()
def drawn(pipeline: Any, prompts: Sequence[str], seed: int, *, steps: int = STEPS,
          size: tuple[int, int] = FORMATS[0]) -> list[Picture]:  # fmt: skip
    """A picture for each prompt; picture i has the seed `seed + i`."""
    pictures: list[Picture] = []
    for start in range(0, len(prompts), _AT_ONCE):
        few = list(prompts[start : start + _AT_ONCE])
        made = pipeline(
            prompt=few,
            width=size[0],
            height=size[1],
            num_inference_steps=steps,
            guidance_scale=0.0,
            generator=[torch.Generator("cpu").manual_seed(seed + start + index) for index in range(len(few))],
            max_sequence_length=pipeline.tokenizer_2.model_max_length,
        ).images
        pictures += [np.asarray(picture.convert("RGB")) for picture in made]
    return pictures


def score(pipeline: Any, checker: Checker, count: int, *, pairs: list[tuple[str, str]], seed: int, steps: int = STEPS,
          size: tuple[int, int] = FORMATS[0]) -> Score:  # fmt: skip
    """Draw `count` prompts of these pairs and read them back."""
    asked = orders(count, pairs, seed)
    prompts, scenes = [prompt for prompt, _ in asked], [scene for _, scene in asked]
    pictures = drawn(pipeline, prompts, seed, steps=steps, size=size)
    return agreement([checker.read(picture) for picture in pictures], scenes, prompts)


def whole_score(pipeline: Any, checker: Checker, seed: int) -> dict[str, Any]:
    """All that the record tells: unseen and seen pairs at the native size, unseen ones in the other formats."""
    found = {
        "unseen pairs, 128 x 128": score(pipeline, checker, 240, pairs=held_out(), seed=seed),
        "seen pairs, 128 x 128": score(pipeline, checker, 120, pairs=seen_pairs(), seed=seed + 1000),
    }
    for width, height in FORMATS[1:]:
        name = f"unseen pairs, {width} x {height}"
        found[name] = score(pipeline, checker, 60, pairs=held_out(), seed=seed + 2000, size=(width, height))
    return {name: asdict(part) for name, part in found.items()}
