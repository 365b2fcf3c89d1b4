"""Pictures from a prompt: what is ordered, and the exact parameters."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from snapforge.contracts.adapters import MAX_BLENDED, MAX_WEIGHT
from snapforge.jobs.domain.requests.priority import Priority, Urgency
from snapforge.jobs.domain.requests.seeds import MAX_SEED
from snapforge.kit import ids
from snapforge.kit.schema import Schema

Aspect = Literal["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9"]

MAX_PROMPT = 2000
MAX_COUNT = 16
SIDE_MULTIPLE = 16
"""Sides are multiples of it: eight pixels to a latent, two latents to a token."""

Side = Annotated[int, Field(ge=64, le=2048, multiple_of=SIDE_MULTIPLE)]


class LoraSelection(Schema):
    """A LoRA to draw with, and how strongly: 1 as it was trained, 0 not at all, negative the other way."""

    id: str = Field(pattern=ids.pattern("lora"), examples=[ids.example("lora")])
    weight: float = Field(default=1.0, ge=-MAX_WEIGHT, le=MAX_WEIGHT)
    version: int | None = Field(default=None, ge=1, description="Absent: the newest finished one.")


class LoraUse(Schema):
    """The exact version that is drawn with."""

    id: str
    version: int
    weight: float


class ImageRequest(Schema):
    """Pictures from a prompt. The size comes from `aspect`, or from `width` and `height` together.

    What each model can draw stands in `GET /v1/catalogue`.
    """

    kind: Literal["image"]
    prompt: str = Field(min_length=1, max_length=MAX_PROMPT, examples=["a kingfisher on river stones, morning light"])
    negative_prompt: str = Field(default="", max_length=MAX_PROMPT)
    model: str | None = Field(
        default=None, min_length=1, max_length=64, description="Absent: the first of `GET /v1/catalogue`."
    )
    style: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="A preset of `GET /v1/catalogue`, worked into the prompt.",
        examples=["watercolour"],
    )
    aspect: Aspect | None = Field(default=None, examples=["3:2"])
    width: Side | None = None
    height: Side | None = None
    steps: int | None = Field(default=None, ge=1, le=50, description="Absent: the model's own number.")
    guidance: float | None = Field(default=None, ge=0, le=20, description="Absent: the model's own value.")
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="Absent: a random one. Picture i uses seed + i."
    )
    count: int = Field(default=1, ge=1, le=MAX_COUNT)
    loras: list[LoraSelection] = Field(
        default_factory=list,
        max_length=MAX_BLENDED,
        description="Blended by weight. Say their triggers in the prompt. Without `model`, their base model draws.",
    )
    priority: Urgency = "standard"

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("send width and height together, or neither")
        if self.width and self.height and self.aspect is not None:
            raise ValueError("send aspect, or width and height, not both")
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        if len({selection.id for selection in self.loras}) < len(self.loras):
            raise ValueError("name each LoRA once")
        return self


class ImageParameters(Schema):
    """All that makes the pictures; with the seed they can be made again."""

    kind: Literal["image"] = "image"
    model: str
    prompt: str
    """As it was asked; the style is worked in when it is drawn."""
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance: float
    seed: int
    count: int
    style: str | None = None
    loras: tuple[LoraUse, ...] = ()
    priority: Priority = "standard"
