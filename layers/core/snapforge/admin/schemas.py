"""What health answers."""

from typing import Literal

from pydantic import ConfigDict

from snapforge.kit.schema import Schema, Timestamp

State = Literal["ok", "failed"]


class Health(Schema):
    """The API answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok", "at": "2026-11-21T02:20:00.000000Z"}]})

    status: State
    at: Timestamp


class DeepHealth(Health):
    """The API answers, and so does all that it stands on."""

    checks: dict[str, State]
    """By name: tables, buckets, queues, mail, workflow, engine."""
