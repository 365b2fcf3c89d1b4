"""Pictures from a prompt: what is ordered, and the exact parameters."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from snapforge.jobs.domain.orders.seeds import MAX_SEED
from snapforge.kit.schema import Schema

ModelId = Literal["flux-schnell"]
Aspect = Literal["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9"]

MAX_PROMPT = 2000
MAX_PIXELS = 4 * 1024 * 1024

SIZES: dict[Aspect, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "4:3": (1152, 896),
    "3:4": (896, 1152),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "21:9": (1536, 640),
}
"""Width and height in pixels: about one megapixel each, the sizes that FLUX was trained on."""

Side = Annotated[int, Field(ge=64, le=2048, multiple_of=16)]


class ImageOrder(Schema):
    """Pictures from a prompt. The size comes from `aspect`, or from `width` and `height` together."""

    kind: Literal["image"]
    prompt: str = Field(min_length=1, max_length=MAX_PROMPT, examples=["a kingfisher on river stones, morning light"])
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT)
    model: ModelId = "flux-schnell"
    aspect: Aspect | None = Field(default=None, examples=["3:2"])
    width: Side | None = None
    height: Side | None = None
    steps: int | None = Field(default=None, ge=1, le=50, description="Absent: the model's own number.")
    guidance: float | None = Field(default=None, ge=0, le=20, description="Absent: the model's own value.")
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="Absent: a random one. Picture i uses seed + i."
    )
    count: int = Field(default=1, ge=1, le=16)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("send width and height together, or neither")
        if self.width and self.height:
            if self.aspect is not None:
                raise ValueError("send aspect, or width and height, not both")
            if self.width * self.height > MAX_PIXELS:
                raise ValueError(f"width times height is at most {MAX_PIXELS} pixels")
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.width and self.height:
            return self.width, self.height
        return SIZES[self.aspect or "1:1"]


class ImageParameters(Schema):
    """All that makes the pictures; with the seed they can be made again."""

    kind: Literal["image"] = "image"
    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance: float
    seed: int
    count: int
