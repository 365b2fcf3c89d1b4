"""A LoRA from the photos of a capture: what is ordered, and the exact parameters."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from snapforge.contracts.adapters import MAX_PHOTOS
from snapforge.jobs.domain.requests.priority import Priority, Urgency
from snapforge.jobs.domain.requests.seeds import MAX_SEED
from snapforge.kit import ids
from snapforge.kit.schema import Schema

MAX_CAPTION = 500

_Trigger = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{1,31}$")]
_Subject = Annotated[str, Field(pattern=r"^[^\s].{0,38}[^\s]$")]


class LoraRequest(Schema):
    """A LoRA of one thing from 5 to 20 photos of it: a new one, or the next version of one that is there."""

    kind: Literal["lora"]
    capture_id: str = Field(pattern=ids.pattern("capture"), examples=[ids.example("capture")])
    rights: Literal[True]
    """You hold the rights in these photos, and whoever they show has agreed to this."""
    lora_id: str | None = Field(
        default=None,
        pattern=ids.pattern("lora"),
        description="Train its next version; then name, trigger, subject and model are its own and left out here.",
    )
    name: str | None = Field(default=None, min_length=1, max_length=80, examples=["Grandmother's blue vase"])
    trigger: _Trigger | None = Field(
        default=None,
        description="The word that calls it in a prompt; take one that means nothing else.",
        examples=["grvase"],
    )
    subject: _Subject | None = Field(default=None, description="What kind of thing it is.", examples=["vase"])
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="The base model. Absent: the first of `GET /v1/catalogue` that can be trained.",
    )
    steps: int | None = Field(default=None, ge=1, le=10_000, description="Absent: the model's own number.")
    captions: dict[str, Annotated[str, Field(max_length=MAX_CAPTION)]] = Field(
        default_factory=dict,
        max_length=MAX_PHOTOS,
        description="What a photo shows, by its file name; the others are described for you.",
        examples=[{"vase-01.jpg": "the vase on a window sill, tulips in it"}],
    )
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    priority: Urgency = "standard"

    @model_validator(mode="after")
    def _new_or_next(self) -> Self:
        own = {"name": self.name, "trigger": self.trigger, "subject": self.subject}
        if self.lora_id is None:
            missing = [member for member, value in own.items() if value is None]
            if missing:
                raise ValueError(f"a new LoRA needs {', '.join(missing)}")
        elif self.model is not None or any(value is not None for value in own.values()):
            raise ValueError("with lora_id leave out name, trigger, subject and model: they are the LoRA's own")
        return self


class LoraParameters(Schema):
    """All that makes the LoRA from the capture's photos."""

    kind: Literal["lora"] = "lora"
    lora_id: str
    lora_version: int
    name: str
    trigger: str
    subject: str
    model: str
    capture_id: str
    capture_version: int
    photos: int
    captions: dict[str, str]
    steps: int
    rank: int
    learning_rate: float
    size: int
    """Pixels: photos are brought to about size x size."""
    rights: Literal[True] = True
    seed: int
    priority: Priority = "standard"
