"""A textured 3D model from the photos of a capture: what is ordered, and the exact parameters."""

from typing import Literal

from pydantic import Field

from snapforge.jobs.domain.requests.priority import Priority, Urgency
from snapforge.jobs.domain.requests.seeds import MAX_SEED
from snapforge.kit import ids
from snapforge.kit.schema import Schema

Preset = Literal["draft", "standard", "high"]
Floor = Literal["crop", "keep"]
Compression = Literal["none", "draco"]


class SceneRequest(Schema):
    """A textured 3D model from the photos of a capture."""

    kind: Literal["scene"]
    capture_id: str = Field(pattern=ids.pattern("capture"), examples=[ids.example("capture")])
    preset: Preset = "draft"
    usdz: bool = True
    longest_side_m: float | None = Field(default=None, ge=0.001, le=100, examples=[0.24])
    """The object's real longest side in metres: photos alone tell no size. Without it the model has no real size."""
    floor: Floor = "crop"
    """Whether the plane that the object stands on is cut off, where the photos show one."""
    compression: Compression = "none"
    """Of the GLB's geometry: `draco` is several times smaller, for viewers that know KHR_draco_mesh_compression."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    priority: Urgency = "standard"


class SceneParameters(Schema):
    """All that makes the model from the capture's photos."""

    kind: Literal["scene"] = "scene"
    capture_id: str
    capture_version: int
    photos: int
    preset: Preset
    usdz: bool
    longest_side_m: float | None = None
    floor: Floor = "crop"
    compression: Compression = "none"
    seed: int
    priority: Priority = "standard"
