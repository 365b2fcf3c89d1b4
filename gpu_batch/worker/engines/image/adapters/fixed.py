"""Adapters of a compiled model: slots of the highest rank, made before it is compiled, whose content is exchanged.

A compiled graph knows which slots work, and reads weights and scales from tensors. So n adapters always sit in the
first n slots, and only another number of them is another graph; swapping contents and weights compiles nothing.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from snapforge.contracts.adapters import MAX_BLENDED, MAX_RANK
from worker.engines.image.adapters.use import Adapter, load, several
from worker.engines.lora.families import family_of

_SLOTS = [f"slot{number}" for number in range(MAX_BLENDED)]


class FixedRack:
    """Reserves the slots in the transformer of `pipeline`."""

    def __init__(self, pipeline: Any) -> None:
        peft: Any = import_module("peft")
        hotswap: Any = import_module("peft.utils.hotswap")
        self._pipeline = pipeline
        self._contents = [""] * MAX_BLENDED
        targets = family_of(type(pipeline).__name__).targets
        for slot in _SLOTS:
            # Fresh layers are zero where it counts, so an empty slot changes nothing.
            config = peft.LoraConfig(r=MAX_RANK, lora_alpha=MAX_RANK, target_modules=targets)
            with several():
                pipeline.transformer.add_adapter(config, adapter_name=slot)
        pipeline.transformer.requires_grad_(False)
        hotswap.prepare_model_for_compiled_hotswap(pipeline.transformer, target_rank=MAX_RANK)
        pipeline.disable_lora()

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work."""
        for number, adapter in enumerate(wanted):
            if self._contents[number] != adapter.sha256:
                self._contents[number] = ""
                load(self._pipeline, adapter, _SLOTS[number], in_place=True)
                self._contents[number] = adapter.sha256
        self._pipeline.enable_lora()
        self._pipeline.transformer.set_adapter(_SLOTS[: len(wanted)])
        for layer in self._layers():
            for slot, adapter in zip(_SLOTS, wanted, strict=False):
                # In place: peft's own set_scale would put a number there, which a compiled graph takes for a constant.
                layer.scaling[slot].fill_(adapter.weight)

    def deactivate(self) -> None:
        """Make none work."""
        self._pipeline.disable_lora()

    def _layers(self) -> Iterator[Any]:
        lora: Any = import_module("peft.tuners.lora")
        return (module for module in self._pipeline.transformer.modules() if isinstance(module, lora.LoraLayer))
