"""Adapters of a compiled model: slots of the highest rank, made before it is compiled, whose content is exchanged.

A compiled graph knows which slots work, and reads weights and scales from tensors. So n adapters always sit in the
first n slots, and only another number of them is another graph; swapping contents and weights compiles nothing.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from snapforge.contracts.adapters import MAX_BLENDED, MAX_RANK
from worker.engines.base import Adapter
from worker.engines.image.adapters.peft_warnings import ignore_second_adapter
from worker.engines.lora.adapter import PREFIX
from worker.engines.lora.families import find_family

_SLOTS = [f"slot{number}" for number in range(MAX_BLENDED)]


def add_slots(pipeline: Any) -> None:
    """Add the slots to the transformer, which works as without them. Nothing for models that know no adapters."""
    family = find_family(type(pipeline).__name__)
    if family is None:
        return
    peft: Any = import_module("peft")
    hotswap: Any = import_module("peft.utils.hotswap")
    for slot in _SLOTS:
        # Fresh layers are zero where it counts, so an empty slot changes nothing.
        config = peft.LoraConfig(r=MAX_RANK, lora_alpha=MAX_RANK, target_modules=family.targets)
        with ignore_second_adapter():
            pipeline.transformer.add_adapter(config, adapter_name=slot)
    pipeline.transformer.requires_grad_(False)
    hotswap.prepare_model_for_compiled_hotswap(pipeline.transformer, target_rank=MAX_RANK)
    pipeline.disable_lora()


def has_slots(pipeline: Any) -> bool:
    """Whether the pipeline has the slots."""
    return _SLOTS[0] in getattr(pipeline.transformer, "peft_config", {})


class CompiledAdapters:
    """The slots of a pipeline and what is in them."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._contents = [""] * MAX_BLENDED

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work."""
        for number, adapter in enumerate(wanted):
            if self._contents[number] != adapter.sha256:
                self._contents[number] = ""
                self._fill(_SLOTS[number], adapter.path)
                self._contents[number] = adapter.sha256
        self._pipeline.enable_lora()
        self._pipeline.transformer.set_adapter(_SLOTS[: len(wanted)])
        for _, layer in self._layers():
            for slot, adapter in zip(_SLOTS, wanted, strict=False):
                # In place: peft's own set_scale would put a number there, which a compiled graph takes for a constant.
                layer.scaling[slot].fill_(adapter.weight)

    def deactivate(self) -> None:
        """Make none work."""
        self._pipeline.disable_lora()

    def _fill(self, slot: str, path: Path) -> None:
        """Exchange a slot's content: beyond the adapter's rank, and in layers that it leaves out, zeros."""
        import torch
        from safetensors import safe_open

        with torch.no_grad(), safe_open(path, framework="pt") as opened:
            given = set(opened.keys())
            for name, layer in self._layers():
                down, up = layer.lora_A[slot].weight.zero_(), layer.lora_B[slot].weight.zero_()
                if (key := f"{PREFIX}{name}.lora_A.weight") in given:
                    new = opened.get_tensor(key)
                    down[: len(new)].copy_(new)
                    up[:, : len(new)].copy_(opened.get_tensor(f"{PREFIX}{name}.lora_B.weight"))

    def _layers(self) -> Iterator[tuple[str, Any]]:
        lora: Any = import_module("peft.tuners.lora")
        modules = self._pipeline.transformer.named_modules()
        return ((name, module) for name, module in modules if isinstance(module, lora.LoraLayer))
