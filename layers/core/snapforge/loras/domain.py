"""What a LoRA is and what may be done with it. Plain values, no calls."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from snapforge.contracts.adapters import MAX_RANK, AdapterRef, Family
from snapforge.kit.schema import Schema

RESTORABLE = timedelta(days=7)
"""How long a deleted LoRA can be had back; then its weights are removed."""
AGAIN = timedelta(hours=1)
"""A purge that a training under way put off is looked at again after so long."""


class LoraState(StrEnum):
    """Of a LoRA and of each of its versions."""

    training = "training"
    ready = "ready"
    failed = "failed"
    """The training failed or was canceled; of a LoRA: no version of it was ever finished."""


class Trained(Schema):
    """The adapter that a version's training left."""

    version: int
    uri: str
    """Its file in the assets bucket, the version's own: nothing else shares it."""
    sha256: str
    family: Family
    rank: int = Field(ge=1, le=MAX_RANK)


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA as upper contexts see it. `current` is its newest finished version."""

    id: str
    org_id: str
    name: str
    trigger: str
    subject: str
    model: str
    """The base model it was trained on, by the catalogue's id: it fits this one."""
    versions: int
    training: str | None
    """The job that trains it now."""
    current: Trained | None
    created_at: datetime
    deleted_at: datetime | None
    purge_at: datetime | None

    @property
    def state(self) -> LoraState:
        """A LoRA with a finished version is ready, also while the next one is trained."""
        if self.current is not None:
            return LoraState.ready
        return LoraState.training if self.training else LoraState.failed


@dataclass(frozen=True, slots=True)
class Usable:
    """One version, held ready for an order of pictures."""

    id: str
    model: str
    trigger: str
    trained: Trained

    def ref(self, weight: float) -> AdapterRef:
        """As a worker is told of it."""
        return AdapterRef(
            id=self.id,
            version=self.trained.version,
            uri=self.trained.uri,
            sha256=self.trained.sha256,
            family=self.trained.family,
            rank=self.trained.rank,
            weight=weight,
        )


def weights_key(lora_id: str, version: int) -> str:
    """Where a version's adapter lies in the assets bucket."""
    return f"{weights_folder(lora_id)}{version:04d}.safetensors"


def weights_folder(lora_id: str) -> str:
    """Where all versions of a LoRA lie: removing it removes all of them, and nothing of anybody else."""
    return f"loras/{lora_id}/"
