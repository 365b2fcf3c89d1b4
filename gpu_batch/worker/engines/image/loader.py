"""Loading a diffusers model from a folder."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.base import Device
from worker.engines.image.optimizations import Optimizations
from worker.errors import BugError

NOTE = "note.txt"
"""A model's folder may hold it: plain words to the customer about what draws here."""


def load_pipeline(folder: Path, device: Device, optimizations: Optimizations, *, reduced: bool) -> Any:
    """The diffusers pipeline in `folder`, which must hold safetensors, on `device` and set up by `optimizations`.

    `reduced` decodes in tiles and, on CUDA, keeps in GPU memory only the part that computes. Raises BugError where the
    folder is no complete model.
    """
    pipeline = read_pipeline(folder, bf16=optimizations.dtype == "bf16")
    if reduced:
        pipeline.vae.enable_tiling()
    if device == "cuda" and reduced:
        pipeline.enable_model_cpu_offload()
    else:
        pipeline.to(device)
    optimizations.apply(pipeline)
    return pipeline


def read_pipeline(folder: Path, *, bf16: bool, without: Sequence[str] = ()) -> Any:
    """The same, as it lies in `folder`, on the CPU: bf16 or fp32 weights; parts named in `without` are None.

    Parts that the model does not have may be named. Raises BugError where the folder is no complete model.
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
        parts = diffusers.DiffusionPipeline.load_config(folder) if without else ()
        return diffusers.DiffusionPipeline.from_pretrained(
            folder,
            dtype=torch.bfloat16 if bf16 else torch.float32,
            use_safetensors=True,
            local_files_only=True,
            **{part: None for part in without if part in parts},
        )
    except (OSError, ValueError, KeyError) as error:
        raise BugError("model_unreadable", f"The model in {folder} cannot be loaded: {error}") from error


def notes_of(folder: Path) -> tuple[str, ...]:
    """What a customer has to know of the model in `folder`."""
    note = folder / NOTE
    return (note.read_text().strip(),) if note.exists() else ()
