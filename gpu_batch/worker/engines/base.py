"""Which engine does what, and on which device. Stages ask here; the engines' modules are imported only when chosen."""

import gc
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from worker.errors import BugError

Device = Literal["cuda", "cpu"]
OnStep = Callable[[int, int], Collection[int]]
"""Called after each denoising step with (steps done, steps). Returns the positions of pictures that nobody wants any
more, which leave the batch then and there; may raise to stop the drawing of all."""


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter's file on this machine, and how strongly it shall work (0: not at all).

    `name` is for messages; equal `sha256` is equal content.
    """

    name: str
    sha256: str
    path: Path
    weight: float


@dataclass(frozen=True)
class Drawing:
    """What one picture shall be. Sizes in pixels, multiples of 16."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance: float
    adapters: tuple[Adapter, ...] = ()


class ImageEngine(Protocol):
    """Draws micro-batches of pictures with one loaded model."""

    name: str
    """For the result, e.g. `diffusers:flux`."""
    notes: tuple[str, ...]
    """Plain words about what this model cannot do, or that it is untrained."""

    def draw(self, drawings: Sequence[Drawing], seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        """The pictures as `PIL.Image.Image` in RGB, None for those that left on the way.

        The drawings differ in their prompts alone (adapters may be other files of equal content). Equal calls give
        equal bytes; a picture's noise comes from its own seed, and its neighbours change it by no more than the last
        bits of floating point (a grey level).

        Raises InputError where this model cannot use the adapters; later drawings are none the worse for it.
        """
        ...

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """Notes on requested settings that this model ignores."""
        ...


@dataclass(frozen=True)
class Entry:
    """One engine. `module` has `load(folder, device, *, reduced)`; `families` are the model classes that it reads."""

    name: str
    capability: Literal["text-to-image"]
    module: str
    families: frozenset[str]


REGISTRY = (
    Entry("diffusers:flux", "text-to-image", "worker.engines.image.flux", frozenset({"FluxPipeline"})),
    Entry("diffusers:flux2", "text-to-image", "worker.engines.image.flux2", frozenset({"Flux2KleinPipeline"})),
    Entry("diffusers:z-image", "text-to-image", "worker.engines.image.z_image", frozenset({"ZImagePipeline"})),
)


def choose(capability: str, family: str) -> Entry:
    """The engine that reads a model of class `family`. Raises BugError where none does."""
    for entry in REGISTRY:
        if entry.capability == capability and family in entry.families:
            return entry
    known = ", ".join(sorted(name for entry in REGISTRY if entry.capability == capability for name in entry.families))
    raise BugError("model_not_supported", f"No engine for {capability} reads {family} models; known are {known}.")


def model_family(folder: Path) -> str:
    """The pipeline class that a diffusers model's index names. Raises BugError where there is no such index."""
    try:
        return str(json.loads((folder / "model_index.json").read_text())["_class_name"])
    except (OSError, ValueError, KeyError) as error:
        raise BugError("model_unreadable", f"{folder} is no diffusers model: {error}") from error


def load_image_engine(entry: Entry, folder: Path, device: Device, *, reduced: bool) -> ImageEngine:
    """The engine with the model of `folder` loaded on `device`."""
    module = import_module(entry.module)
    engine: ImageEngine = module.load(folder, device, reduced=reduced)
    return engine


def release() -> None:
    """Give back the memory of an engine that was dropped, before the next is loaded."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@cache
def device() -> Device:
    """`cuda` where torch sees a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
