"""The wire of LoRAs."""

from typing import Annotated

from pydantic import Field

from snapforge.kit import ids
from snapforge.kit.page import PageQuery
from snapforge.kit.schema import Schema, Timestamp
from snapforge.loras.domain import LoraState

Name = Annotated[str, Field(min_length=1, max_length=80, examples=["Grandmother's blue vase"])]


class LoraVersion(Schema):
    """One training."""

    version: int
    state: LoraState
    job_id: str
    begun_at: Timestamp
    ended_at: Timestamp | None = None
    rank: int | None = None
    steps: int | None = None
    photos_used: int | None = None
    loss_before: float | None = Field(
        default=None, description="Mean flow-matching loss on the photos with fixed noise, before the training."
    )
    loss_after: float | None = None
    samples_url: str | None = Field(
        default=None, description="A signed link of the sample grid: above without, below with the LoRA."
    )


class Lora(Schema):
    """A personal adapter. Use it in an order of pictures by its id, and say its trigger in the prompt."""

    id: str = Field(pattern=ids.pattern("lora"))
    name: str
    trigger: str
    subject: str
    model: str = Field(description="The base model that it fits.")
    state: LoraState
    version: int | None = Field(default=None, description="The newest finished one; an order may name an older one.")
    training_job_id: str | None = Field(default=None, description="The job that trains the next version now.")
    created_at: Timestamp
    deleted_at: Timestamp | None = None
    restorable_until: Timestamp | None = Field(
        default=None, description="Of a deleted one: then its weights are removed."
    )


class LoraDetail(Lora):
    """With all its trainings, the newest first."""

    versions: list[LoraVersion]


class LorasQuery(PageQuery):
    """Filters of a list, newest first."""

    deleted: bool = Field(default=False, description="Those that were deleted and can still be restored.")


class LoraChange(Schema):
    """What can be changed."""

    name: Name


class LoraDelete(Schema):
    """How it is deleted."""

    now: bool = Field(default=False, description="Remove the weights at once: it cannot be restored.")
