"""A textured 3D model from the photos of a capture: what is ordered, and the exact parameters."""

from typing import Literal

from pydantic import Field

from snapforge.jobs.domain.orders.seeds import MAX_SEED
from snapforge.kit import ids
from snapforge.kit.schema import Schema

Preset = Literal["draft", "standard"]


class SceneOrder(Schema):
    """A textured 3D model from the photos of a capture."""

    kind: Literal["scene"]
    capture_id: str = Field(pattern=ids.pattern("capture"), examples=["cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"])
    preset: Preset = "draft"
    usdz: bool = True
    seed: int = Field(default=0, ge=0, le=MAX_SEED)


class SceneParameters(Schema):
    """All that makes the model from the capture's photos."""

    kind: Literal["scene"] = "scene"
    capture_id: str
    capture_version: int
    photos: int
    preset: Preset
    usdz: bool
    seed: int
