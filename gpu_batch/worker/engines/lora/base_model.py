"""The base model, or the parts that a step needs: encoders and transformer of a big one never share the memory."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from worker.engines.base import model_family
from worker.errors import BugError

ENCODERS = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae")


def load(folder: Path, device: Literal["cpu", "cuda"], *, only: Literal["all", "encoders", "transformer"]) -> Any:
    """The diffusers pipeline of `folder` on `device`, without the parts that `only` leaves out (they are None).

    Raises BugError where the folder is no complete model.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    diffusers: Any = import_module("diffusers")
    try:
        pipeline_class = getattr(diffusers, model_family(folder))
        parts = [name for name in diffusers.DiffusionPipeline.load_config(folder) if not name.startswith("_")]
        left_out = {"all": (), "encoders": ("transformer",), "transformer": ENCODERS}[only]
        pipeline = pipeline_class.from_pretrained(
            folder,
            dtype=torch.bfloat16 if device == "cuda" else torch.float32,
            use_safetensors=True,
            local_files_only=True,
            **{name: None for name in left_out if name in parts},
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BugError("model_unreadable", f"The model in {folder} cannot be loaded: {error}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
