"""Which adapters work on the next pictures."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from snapforge.contracts.adapters import MAX_BLENDED
from worker.engines.lora.adapter import check_fits, read_header, transformer_width
from worker.engines.lora.families import family_of
from worker.errors import InputError


@dataclass(frozen=True)
class Adapter:
    """An adapter's file on this machine. `name` is for messages; equal `sha256` is equal content."""

    name: str
    sha256: str
    path: Path
    weight: float


class Rack(Protocol):
    """Where a pipeline keeps adapters."""

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work (one at least, all of another content)."""
        ...

    def deactivate(self) -> None:
        """Make none work: the pictures are the base's exactly."""
        ...


class Adapters:
    """The adapters of one pipeline. Made before the transformer is compiled where `compiled` is set."""

    def __init__(self, pipeline: Any, *, compiled: bool = False) -> None:
        from worker.engines.image.adapters.fixed import FixedRack
        from worker.engines.image.adapters.loose import LooseRack

        self._pipeline = pipeline
        self._rack: Rack = FixedRack(pipeline) if compiled else LooseRack(pipeline)

    def use(self, wanted: Sequence[Adapter]) -> None:
        """Make these the adapters of the next pictures; no other one works any more. Weight 0 is as if left out.

        Raises InputError where a file is none, or was trained for another kind of model, and changes nothing then.
        """
        working = sorted((adapter for adapter in wanted if adapter.weight != 0), key=lambda adapter: adapter.sha256)
        if len(working) > MAX_BLENDED:
            raise InputError(
                "too_many_adapters",
                f"{len(working)} LoRAs were asked for; {MAX_BLENDED} can be blended.",
                f"Blend {MAX_BLENDED} at the most.",
            )
        if len({adapter.sha256 for adapter in working}) < len(working):
            raise InputError("adapter_twice", "One LoRA was asked for twice.", "Give it once, with one weight.")
        for adapter in working:
            self._check(adapter)
        if working:
            self._rack.activate(working)
        else:
            self._rack.deactivate()

    def _check(self, adapter: Adapter) -> None:
        family = family_of(type(self._pipeline).__name__)
        check_fits(read_header(adapter.path), family.name, transformer_width(self._pipeline.transformer), adapter.name)


@contextmanager
def several() -> Iterator[None]:
    """Without peft's warning that a model gets another adapter: here that is what is wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield


def load(pipeline: Any, adapter: Adapter, slot: str, *, in_place: bool) -> None:
    """Read an adapter's file into a slot of the pipeline. Raises InputError where its layers do not fit."""
    try:
        with several():
            pipeline.load_lora_weights(
                adapter.path.parent,
                weight_name=adapter.path.name,
                adapter_name=slot,
                hotswap=in_place,
                local_files_only=True,
                use_safetensors=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            "adapter_unreadable",
            f"The LoRA {adapter.name} cannot be used: {error}",
            "Train the LoRA again, or leave it out of the order.",
        ) from error
