"""What a capture pre-flight saw: between the room that looks, the rows that keep it, and the findings made of it.

Photos are numbers into the capture's usable photos, in their order at the version that was looked at.
"""

from pydantic import BaseModel, ConfigDict


class Survey(BaseModel):
    """How the photos of a capture hang together."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    photos: int
    groups: tuple[tuple[int, ...], ...]
    """Photos that show the same thing from different places, the largest group first; a photo alone is in none."""
    registered: tuple[int, ...]
    """Those that are expected to find their place in a model: the largest group, unless the camera was only turned."""
    turned: bool
    """Whether the camera was only turned: the photos overlap, but there is no depth in them."""
    alike: tuple[int, ...]
    """Photos taken from nearly the same place as the one before."""
    coverage_degrees: int | None = None
    """How much of a turn round the object the registered photos see, 0 to 360; None where it cannot be told."""
    seconds: float
