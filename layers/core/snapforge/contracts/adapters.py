"""LoRA adapters: what a training leaves behind and an image job asks for."""

from typing import Literal

from pydantic import Field

from snapforge.contracts.base import Contract

MAX_RANK = 32
"""No adapter has a higher rank: compiled workers reserve this much, so that swapping adapters compiles nothing."""
MAX_BLENDED = 4
"""Adapters in one picture."""
MAX_WEIGHT = 2.0
MIN_PHOTOS = 5
MAX_PHOTOS = 20
"""Photos that a training takes."""

Family = Literal["flux1", "flux2"]
"""Models of one family and one architecture share adapters; the file's shapes decide in the end."""


class AdapterRef(Contract):
    """One version of a LoRA, and how strongly it shall work."""

    id: str
    version: int
    uri: str
    """s3:// address of the adapter's safetensors."""
    sha256: str
    """Lower-case hex of that file: workers keep it by this name, and refuse another content."""
    family: Family
    rank: int = Field(ge=1, le=MAX_RANK)
    weight: float = Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)
    """0 leaves the base model exactly as it is."""
