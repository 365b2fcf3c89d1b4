"""Photos and captions, encoded once before the training, so that the encoders can leave the memory."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from worker.engines.lora.families import Family, Picture, Words
from worker.engines.lora.photos import Pixels, buckets, fit
from worker.engines.lora.training import Example

OnProgress = Callable[[float], None]


def encode(
    pipeline: Any, family: Family, photos: Sequence[Pixels], captions: Sequence[str], size: int, on_progress: OnProgress
) -> tuple[list[Example], Words]:
    """The examples, and the empty caption. `size` in pixels, see `photos.buckets`."""
    import torch

    sizes = buckets(size, 2 * int(pipeline.vae_scale_factor))
    examples = []
    with torch.inference_mode():
        for index, (pixels, caption) in enumerate(zip(photos, captions, strict=True)):
            fitted = np.asarray(fit(pixels, sizes), np.float32) / 127.5 - 1.0
            tensor = torch.from_numpy(fitted).permute(2, 0, 1)[None].to(pipeline.vae.device, pipeline.vae.dtype)
            examples.append(Example(family.picture(pipeline, tensor), family.words(pipeline, caption)))
            on_progress((index + 1) / len(photos))
        nothing = family.words(pipeline, "")
    return examples, nothing


def save(path: Path, examples: Sequence[Example], nothing: Words) -> None:
    """Write them as tensors."""
    import torch

    unfinished = path.with_suffix(".part")
    torch.save(
        {
            "pictures": [asdict(example.picture) for example in examples],
            "words": [asdict(example.words) for example in examples],
            "nothing": asdict(nothing),
        },
        unfinished,
    )
    unfinished.replace(path)


def load(path: Path, device: str) -> tuple[list[Example], Words]:
    """Read what `save` wrote, onto `device`."""
    import torch

    kept = torch.load(path, map_location=device, weights_only=True)
    pairs = zip(kept["pictures"], kept["words"], strict=True)
    return [Example(Picture(**picture), Words(**words)) for picture, words in pairs], Words(**kept["nothing"])
