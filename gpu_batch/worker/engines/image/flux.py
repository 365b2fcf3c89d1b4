"""The FLUX family by diffusers: FLUX.1-schnell, FLUX.1-dev and FLUX.2 (klein), chosen by the model's own index.

Pictures are drawn one at a time from noise of the CPU's generator. A batch would differ from single pictures by a grey
level, so a picture would depend on its neighbours and on where an interrupted job went on; and noise of the GPU's
generator depends on it. At 1024 px the transformer fills a GPU with one picture.
"""

import inspect
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.base import Device, Drawing, OnStep
from worker.engines.image.standin import MARK
from worker.errors import BugError

_NEGATIVE_SCALE = 4.0
"""True classifier-free guidance for FLUX.1's negatives, as in diffusers' examples; it doubles the work."""
_STANDIN_NOTE = (
    "These pictures are noise: this installation has no image weights (set WEIGHTS_URI to a folder or s3:// prefix "
    "that holds a FLUX model)."
)


def load(folder: Path, device: Device, *, reduced: bool) -> "Flux":
    """The engine for the diffusers model in `folder`, which must hold safetensors.

    bf16 on CUDA, fp32 on CPU. `reduced` decodes in tiles and, on CUDA, keeps in GPU memory only the part that computes.
    Raises BugError where the folder is no complete model.
    """
    # No model may reach for a hub: what is not in the folder is missing. The variable must stand before the import.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers: Any = import_module("diffusers")  # half typed

    for quiet in (diffusers_logging, transformers_logging):
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
    try:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            folder,
            dtype=torch.bfloat16 if device == "cuda" else torch.float32,
            use_safetensors=True,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BugError("model_unreadable", f"The model in {folder} cannot be loaded: {error}") from error
    pipeline.set_progress_bar_config(disable=True)
    if reduced:
        pipeline.vae.enable_tiling()
    if device == "cuda" and reduced:
        pipeline.enable_model_cpu_offload()
    else:
        pipeline.to(device)
    return Flux(pipeline, standin=(folder / MARK).exists())


class Flux:
    """One loaded pipeline."""

    name = "diffusers:flux"

    def __init__(self, pipeline: Any, *, standin: bool) -> None:
        self._pipeline = pipeline
        self._takes = frozenset(inspect.signature(type(pipeline).__call__).parameters)
        self.notes: tuple[str, ...] = (_STANDIN_NOTE,) if standin else ()

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """Notes on wishes that this model does not know."""
        if drawing.negative_prompt and "true_cfg_scale" not in self._takes:
            return ("This model knows no negative prompt; it was left out.",)
        return ()

    def draw(self, drawings: Sequence[Drawing], seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        """RGB pictures, one after the other."""
        return [self._one(drawing, seed, on_step) for drawing, seed in zip(drawings, seeds, strict=True)]

    def _one(self, drawing: Drawing, seed: int, on_step: OnStep) -> Any:
        import torch

        def after_step(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            del pipeline, timestep
            on_step(step + 1, drawing.steps)
            return tensors

        wishes: dict[str, Any] = {}
        if drawing.negative_prompt and "true_cfg_scale" in self._takes:
            wishes = {"negative_prompt": drawing.negative_prompt, "true_cfg_scale": _NEGATIVE_SCALE}
        with torch.inference_mode():
            pictures = self._pipeline(
                prompt=drawing.prompt,
                width=drawing.width,
                height=drawing.height,
                num_inference_steps=drawing.steps,
                guidance_scale=drawing.guidance,
                generator=torch.Generator("cpu").manual_seed(seed),
                callback_on_step_end=after_step,
                **wishes,
            ).images
        return pictures[0].convert("RGB")
