"""Events: what happened in a context, written with the change that made it happen (outbox), then put on the bus."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from snapforge.kit import clock, ids


class Event(BaseModel):
    """`type` is past tense, `job.succeeded`. `data` is small: ids and what a mail or a webhook needs at once."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: str
    id: str = Field(default_factory=lambda: ids.new("event"), examples=[ids.example("event")])
    at: datetime = Field(default_factory=clock.now, examples=["2026-11-21T02:20:00Z"])
    org_id: str = Field(examples=[ids.example("org")])
    data: dict[str, Any] = {}
