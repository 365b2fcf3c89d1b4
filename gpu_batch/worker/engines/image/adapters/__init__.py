"""LoRA adapters of a loaded pipeline: put in, blended, swapped and taken out again."""

from worker.engines.base import Adapter
from worker.engines.image.adapters.selection import Adapters

__all__ = ["Adapter", "Adapters"]
