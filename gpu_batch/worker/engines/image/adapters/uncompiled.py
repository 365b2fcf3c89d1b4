"""Adapters of a model that is not compiled: each in a slot of its own rank, loaded when first asked for."""

from collections.abc import Sequence
from typing import Any

from snapforge.contracts.adapters import MAX_BLENDED
from worker.engines.base import Adapter
from worker.engines.image.adapters.peft_warnings import ignore_second_adapter


class UncompiledAdapters:
    """Keeps the MAX_BLENDED adapters that were used last."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._contents: list[str] = []
        """The contents (sha256) in memory, the one used last at the end; also their names in peft."""

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work."""
        needed = {adapter.sha256 for adapter in wanted}
        for adapter in wanted:
            if adapter.sha256 not in self._contents:
                self._evict_one(needed)
                self._load(adapter)
            else:
                self._contents.remove(adapter.sha256)
            self._contents.append(adapter.sha256)
        self._pipeline.enable_lora()
        self._pipeline.set_adapters([adapter.sha256 for adapter in wanted], [adapter.weight for adapter in wanted])

    def deactivate(self) -> None:
        """Make none work."""
        if self._contents:
            self._pipeline.disable_lora()

    def _load(self, adapter: Adapter) -> None:
        with ignore_second_adapter():
            self._pipeline.load_lora_weights(
                adapter.path.parent,
                weight_name=adapter.path.name,
                adapter_name=adapter.sha256,
                local_files_only=True,
                use_safetensors=True,
            )

    def _evict_one(self, needed: set[str]) -> None:
        if len(self._contents) < MAX_BLENDED:
            return
        idle = next(content for content in self._contents if content not in needed)
        self._pipeline.delete_adapters(idle)
        self._contents.remove(idle)
