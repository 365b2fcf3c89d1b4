"""The base model, or the parts that a step needs: encoders and transformer of a big one never share the memory."""

from pathlib import Path
from typing import Any, Literal

from worker.engines.base import Device
from worker.engines.image.loader import read_pipeline

ENCODERS = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae")
_LEFT_OUT = {"all": (), "encoders": ("transformer",), "transformer": ENCODERS}


def load(folder: Path, device: Device, *, only: Literal["all", "encoders", "transformer"]) -> Any:
    """The diffusers pipeline of `folder` on `device`, without the parts that `only` leaves out (they are None).

    Raises BugError where the folder is no complete model.
    """
    pipeline = read_pipeline(folder, bf16=device == "cuda", without=_LEFT_OUT[only])
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
