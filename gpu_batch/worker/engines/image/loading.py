"""Loading a diffusers model from a folder."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.base import Device
from worker.engines.image.levers import Levers
from worker.errors import BugError

NOTE = "note.txt"
"""A model's folder may hold it: plain words to the customer about what draws here."""


def load_pipeline(folder: Path, device: Device, levers: Levers, *, reduced: bool) -> Any:
    """The diffusers pipeline in `folder`, which must hold safetensors, on `device` and set up by `levers`.

    `reduced` decodes in tiles and, on CUDA, keeps in GPU memory only the part that computes. Raises BugError where the
    folder is no complete model.
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
            dtype=torch.bfloat16 if levers.dtype == "bf16" else torch.float32,
            use_safetensors=True,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BugError("model_unreadable", f"The model in {folder} cannot be loaded: {error}") from error
    if reduced:
        pipeline.vae.enable_tiling()
    if device == "cuda" and reduced:
        pipeline.enable_model_cpu_offload()
    else:
        pipeline.to(device)
    levers.apply(pipeline)
    return pipeline


def notes_of(folder: Path) -> tuple[str, ...]:
    """What a customer has to know of the model in `folder`."""
    note = folder / NOTE
    return (note.read_text().strip(),) if note.exists() else ()
