"""Which adapters work on the next pictures."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from snapforge.contracts.adapters import MAX_BLENDED
from worker.engines.base import Adapter
from worker.engines.lora.adapter import check_fits, check_layers, read_header, transformer_width
from worker.engines.lora.families import find_family
from worker.errors import InputError


class Rack(Protocol):
    """Where a pipeline keeps adapters, which fit: they were looked at."""

    def activate(self, wanted: Sequence[Adapter]) -> None:
        """Make exactly these work (one at least, all of another content)."""
        ...

    def deactivate(self) -> None:
        """Make none work: the pictures are the base's exactly."""
        ...


class Adapters:
    """The adapters of one pipeline, compiled (after `fixed.reserve`) or not. Pipelines that know none may be given."""

    def __init__(self, pipeline: Any) -> None:
        from worker.engines.image.adapters.fixed import FixedRack, is_reserved
        from worker.engines.image.adapters.loose import LooseRack

        self._pipeline = pipeline
        self._rack: Rack = FixedRack(pipeline) if is_reserved(pipeline) else LooseRack(pipeline)

    def use(self, wanted: Sequence[Adapter]) -> None:
        """Make these the adapters of the next pictures; no other one works any more. Weight 0 is as if left out.

        Raises InputError where the model knows no adapters, or one is none, or was trained for another kind of model,
        and changes nothing then.
        """
        working = sorted((adapter for adapter in wanted if adapter.weight != 0), key=lambda adapter: adapter.sha256)
        if not working:
            self._rack.deactivate()
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
        self._rack.activate(working)

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


@contextmanager
def several() -> Iterator[None]:
    """Without peft's warning that a model gets another adapter: here that is what is wanted."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield
