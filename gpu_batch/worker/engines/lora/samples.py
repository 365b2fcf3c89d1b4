"""The sample grid: what the base draws, and below it what the adapter makes of the same prompts and seeds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from snapforge.kit.sheets import GAP_PX, grid
from worker.engines.image.adapters import Adapter, Adapters
from worker.engines.image.prompts import longest_prompt

_LONGEST_PX = 1024
_QUALITY = 85
OnProgress = Callable[[float], None]


def draw(
    pipeline: Any,
    adapter: Adapter,
    prompts: Sequence[str],
    size: int,
    steps: int,
    guidance: float,
    seed: int,
    on_progress: OnProgress,
) -> Any:
    """The grid as a `PIL.Image.Image`: a column for each prompt; the upper row without, the lower with the adapter."""
    import torch

    adapters = Adapters(pipeline)
    rows: list[list[Any]] = []
    for row, wanted in enumerate(([], [adapter])):
        adapters.use(wanted)
        pictures = []
        for column, prompt in enumerate(prompts):
            with torch.inference_mode():
                pictures += pipeline(
                    prompt=prompt,
                    width=size,
                    height=size,
                    num_inference_steps=steps,
                    guidance_scale=guidance,
                    max_sequence_length=longest_prompt(pipeline),
                    generator=torch.Generator("cpu").manual_seed(seed + column),
                ).images
            on_progress((row * len(prompts) + column + 1) / (2 * len(prompts)))
        rows.append(pictures)
    every = [picture for row in rows for picture in row]
    cell = min(size, (_LONGEST_PX + GAP_PX) // len(prompts) - GAP_PX)
    return grid(every, len(every), len(prompts), (cell, cell))


def write(sheet: Any, path: Path) -> None:
    """As a JPEG without metadata."""
    sheet.save(path, format="JPEG", quality=_QUALITY, optimize=True)
