"""Which adapters work on the next pictures."""

from collections.abc import Sequence
from typing import Any, Protocol

from snapforge.contracts.adapters import MAX_BLENDED
from worker.engines.base import Adapter
from worker.engines.image.adapters.compiled import CompiledAdapters, has_slots
from worker.engines.image.adapters.uncompiled import UncompiledAdapters
from worker.engines.lora.adapter import check_fits, check_layers, read_header, transformer_width
from worker.engines.lora.families import find_family
from worker.errors import InputError


class LoadedAdapters(Protocol):
    """The adapters in a pipeline. All of them were checked: they fit it."""

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work (one at least, all of another content)."""
        ...

    def deactivate(self) -> None:
        """Make none work: the pictures are the base's exactly."""
        ...


class Adapters:
    """The adapters of one pipeline, compiled (after `compiled.add_slots`) or not. It may be one that knows none."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded: LoadedAdapters = (
            CompiledAdapters(pipeline) if has_slots(pipeline) else UncompiledAdapters(pipeline)
        )

    def use(self, wanted: Sequence[Adapter]) -> None:
        """Make these the adapters of the next pictures; no other one works any more. Weight 0 is as if left out.

        Raises InputError where the model knows no adapters, or one is none, or was trained for another kind of model,
        and changes nothing then.
        """
        working = sorted((adapter for adapter in wanted if adapter.weight != 0), key=lambda adapter: adapter.sha256)
        if not working:
            self._loaded.deactivate()
            return
        if len(working) > MAX_BLENDED:
            raise InputError(
                "too_many_loras",
                f"{len(working)} LoRAs were asked for; {MAX_BLENDED} can be blended.",
                f"Blend {MAX_BLENDED} at the most.",
            )
        if len({adapter.sha256 for adapter in working}) < len(working):
            raise InputError("lora_twice", "One LoRA was asked for twice.", "Give it once, with one weight.")
        for adapter in working:
            self._check(adapter)
        self._loaded.activate(working)

    def _check(self, adapter: Adapter) -> None:
        family = find_family(type(self._pipeline).__name__)
        if family is None:
            raise InputError(
                "lora_not_supported",
                f"This model cannot use the LoRA {adapter.name}, or any other.",
                "Order the model that the LoRA was trained on, or leave it out.",
            )
        transformer = self._pipeline.transformer
        check_fits(read_header(adapter.path), family.name, transformer_width(transformer), adapter.name)
        check_layers(adapter.path, transformer, adapter.name)
