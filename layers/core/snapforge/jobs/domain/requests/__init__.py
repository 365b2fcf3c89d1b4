"""What a customer orders: options, their bounds, and how an order becomes exact parameters; a file for each kind."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from snapforge.jobs.domain.requests.image import (
    MAX_PROMPT,
    Aspect,
    ImageParameters,
    ImageRequest,
    LoraSelection,
    LoraUse,
)
from snapforge.jobs.domain.requests.lora import LoraParameters, LoraRequest
from snapforge.jobs.domain.requests.priority import Priority
from snapforge.jobs.domain.requests.scene import Preset, SceneParameters, SceneRequest
from snapforge.jobs.domain.requests.seeds import MAX_SEED

Kind = Literal["image", "scene", "lora"]
JobRequest = ImageRequest | SceneRequest | LoraRequest
PhotoRequest = SceneRequest | LoraRequest
"""Orders that are made from a capture."""
Parameters = ImageParameters | SceneParameters | LoraParameters
KeptParameters = Annotated[Parameters, Field(discriminator="kind")]
"""Parameters, as a row keeps and an answer shows them."""
_REQUESTS: dict[str, type[JobRequest]] = {"image": ImageRequest, "scene": SceneRequest, "lora": LoraRequest}


def fingerprint(request: JobRequest) -> str:
    """The SHA-256 of what was ordered, without the quote; binds a quote to it."""
    fields = set(_REQUESTS[request.kind].model_fields)
    return hashlib.sha256(request.model_dump_json(include=fields).encode()).hexdigest()


__all__ = [
    "MAX_PROMPT",
    "MAX_SEED",
    "Aspect",
    "ImageRequest",
    "ImageParameters",
    "KeptParameters",
    "Kind",
    "LoraRequest",
    "LoraParameters",
    "LoraUse",
    "LoraSelection",
    "JobRequest",
    "Parameters",
    "PhotoRequest",
    "Preset",
    "Priority",
    "SceneRequest",
    "SceneParameters",
    "fingerprint",
]
