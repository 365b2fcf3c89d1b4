"""What is written beside the model: record.json with every number, README.md in words, and a sheet of pictures."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.demo.pictures import BACKGROUNDS, COLOURS, MATERIALS, SHAPES
from training.demo.score import STEPS, drawn
from training.demo.words import BACKGROUND_WORDS, held_out

NOTE_FILE = "note.txt"
"""The worker's engine passes it on to the customer (worker.engines.image.loader)."""
NOTE = (
    "Drawn by the demo model, a very small FLUX that Snapforge trained itself: it knows eight shapes in ten colours. "
    "For real pictures set WEIGHTS_URI to a folder or s3:// prefix that holds a FLUX model."
)
_PACKAGES = ("torch", "diffusers", "transformers", "tokenizers", "numpy", "pillow")


def write_record(out: Path, found: dict[str, Any]) -> None:
    """record.json, note.txt and README.md in the model's folder."""
    record = {
        **found,
        "held_out": [f"{colour} {shape}" for shape, colour in held_out()],
        "native": {"width": 128, "height": 128, "steps": STEPS, "largest_sensible_side": 192},
        "parameters": _parameters(out),
        "megabytes": round(sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6, 2),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    (out / NOTE_FILE).write_text(NOTE + "\n")
    (out / "README.md").write_text(_readme(record))


def _parameters(out: Path) -> dict[str, int]:
    from safetensors import safe_open

    counts = {}
    for file in sorted(out.rglob("*.safetensors")):
        with safe_open(file, framework="np") as tensors:
            names = list(tensors.keys())
            counts[file.parent.name] = sum(int(np.prod(tensors.get_slice(name).get_shape())) for name in names)
    return counts


def _readme(record: dict[str, Any]) -> str:
    rows = [
        f"| {name} | {_percent(part['shape'])} | {_percent(part['colour'])} | {_percent(part['both'])} "
        f"| {_percent(part['background'])} |"
        for name, part in record["score"].items()
    ]
    checker = record["checker"]
    backgrounds = ", ".join(words[0] for words in BACKGROUND_WORDS.values())
    return f"""# Snapforge demo

A small FLUX (diffusers' FluxPipeline) that `make demo-model` trained on pictures which `gpu_batch/training/demo`
renders. Apache-2.0, like the repository. No downloaded weights, no downloaded data.

It knows {", ".join(SHAPES)}; in {", ".join(COLOURS)};
{", ".join(MATERIALS)}; small or large; and these places: {backgrounds}. Other words are letters to it.
Native sizes: 128 x 128, 160 x 96 and 96 x 160, {STEPS} steps; up to 192 a side is sensible; guidance has no effect.

Asked, drawn, and read back by the checker (right of all, 95 % interval). Unseen pairs are combinations of shape and
colour that training never showed.

| prompts | shape | colour | both | background |
|---|---|---|---|---|
{chr(10).join(rows)}

The checker itself, on {checker["shape"]["of"]} fresh renders: shape {checker["shape"]["share"]:.1%},
colour {checker["colour"]["share"]:.1%}, background {checker["background"]["share"]:.1%}.
record.json has the seeds, sizes, steps, times, losses and versions. {record["megabytes"]} MB in all.
"""


def _percent(part: dict[str, Any]) -> str:
    return f"{part['share']:.1%} of {part['of']} ({part['low']:.1%} to {part['high']:.1%})"


def sheet(pipeline: Any, file: Path, *, seed: int, twice: int = 2) -> Sequence[str]:
    """One picture of each shape in two rows of colours, places and materials; returns the prompts."""
    prompts = [
        f"a {colour} {material} {shape} {BACKGROUND_WORDS[place][0]}"
        for row in range(2)
        for index, shape in enumerate(SHAPES)
        for colour, material, place in [
            (
                list(COLOURS)[(3 * index + 4 * row) % len(COLOURS)],
                MATERIALS[(index + row) % len(MATERIALS)],
                list(BACKGROUNDS)[(index + 2 * row) % len(BACKGROUNDS)],
            )
        ]
    ]
    pictures = drawn(pipeline, prompts, seed)
    across = len(SHAPES)
    rows = [np.concatenate(pictures[at : at + across], axis=1) for at in range(0, len(pictures), across)]
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((whole.width * twice // 2, whole.height * twice // 2), Image.Resampling.LANCZOS).save(file)
    return prompts
