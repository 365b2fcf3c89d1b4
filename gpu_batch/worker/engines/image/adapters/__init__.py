"""LoRA adapters of a loaded pipeline: put in, blended, swapped and taken out again."""

from worker.engines.image.adapters.use import Adapter, Adapters

__all__ = ["Adapter", "Adapters"]
