"""What makes drawing faster, as settings of the job definition. docs/decisions/0014-warm-workers.md has what each gave.

IMAGE_DTYPE          bf16 or fp32
IMAGE_COMPILE        1: the transformer's repeated blocks are compiled (one graph for all sizes and micro-batches)
IMAGE_ATTENTION      a backend of diffusers' attention dispatch, e.g. `_native_cudnn`, `_flash_3`; empty: torch's choice
IMAGE_STEP_CACHE     threshold of the first-block cache, e.g. 0.1; 0: off. It changes pictures, and makes them depend on
                     their neighbours in the micro-batch: only for models and customers that accept that
IMAGE_CHANNELS_LAST  1: the VAE computes with the memory layout that convolutions like
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from worker.engines.base import Device
from worker.engines.image.adapters.compiled import add_slots
from worker.errors import BugError

_GRAPHS = 32
"""The maximum of versions of a compiled block before torch gives up; its own limit is 8."""


@dataclass(frozen=True)
class Optimizations:
    """How a pipeline is set up."""

    dtype: Literal["bf16", "fp32"] = "fp32"
    compile: bool = False
    attention: str = ""
    step_cache: float = 0.0
    channels_last: bool = False

    @classmethod
    def read(cls, device: Device, environment: Mapping[str, str] = os.environ) -> "Optimizations":
        """The environment's, else the device's own: channels last, and on a GPU bf16 and compiled.

        Raises BugError with the setting that cannot be.
        """
        gpu = device == "cuda"
        dtype = environment.get("IMAGE_DTYPE") or ("bf16" if gpu else "fp32")
        if dtype not in ("bf16", "fp32"):
            raise BugError("not_configured", f"IMAGE_DTYPE is {dtype!r}; it can be bf16 or fp32.")
        try:
            step_cache = float(environment.get("IMAGE_STEP_CACHE") or 0.0)
        except ValueError as error:
            raise BugError("not_configured", "IMAGE_STEP_CACHE must be a number, e.g. 0.1.") from error
        return cls(
            dtype="bf16" if dtype == "bf16" else "fp32",
            compile=(environment.get("IMAGE_COMPILE") or str(int(gpu))) == "1",
            attention=environment.get("IMAGE_ATTENTION", ""),
            step_cache=step_cache,
            channels_last=(environment.get("IMAGE_CHANNELS_LAST") or "1") == "1",
        )

    def apply(self, pipeline: Any) -> None:
        """Set a loaded pipeline up; the dtype was given when it was loaded. Raises BugError where it cannot be."""
        import torch

        transformer = pipeline.transformer
        if self.attention:
            try:
                transformer.set_attention_backend(self.attention)
            except (ValueError, RuntimeError, ImportError) as error:
                raise BugError("not_configured", f"IMAGE_ATTENTION={self.attention}: {error}") from error
        if self.step_cache:
            from diffusers import FirstBlockCacheConfig

            if not hasattr(transformer, "enable_cache"):
                raise BugError("not_configured", f"{type(transformer).__name__} has no step cache: IMAGE_STEP_CACHE=0.")
            transformer.enable_cache(FirstBlockCacheConfig(threshold=self.step_cache))
        if self.channels_last:
            pipeline.vae.to(memory_format=torch.channels_last)
        if self.compile:
            # A compiled graph keeps the layers that it was made of: slots for adapters come first.
            add_slots(pipeline)
            # One graph each for no adapter and for one to four, for one picture and for several.
            torch._dynamo.config.recompile_limit = _GRAPHS
            # The cache decides by values: its branch cannot be part of one graph.
            transformer.compile_repeated_blocks(fullgraph=not self.step_cache, dynamic=True)
