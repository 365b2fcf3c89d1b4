"""What a customer orders: options, their bounds, and how an order becomes exact parameters; a file for each kind."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from snapforge.jobs.domain.orders.image import MAX_PROMPT, Aspect, ImageOrder, ImageParameters
from snapforge.jobs.domain.orders.priority import Priority
from snapforge.jobs.domain.orders.scene import Preset, SceneOrder, SceneParameters
from snapforge.jobs.domain.orders.seeds import MAX_SEED

Kind = Literal["image", "scene"]
Order = ImageOrder | SceneOrder
Parameters = Annotated[ImageParameters | SceneParameters, Field(discriminator="kind")]


def fingerprint(order: Order) -> str:
    """The SHA-256 of what was ordered, without the quote; binds a quote to it."""
    fields = set((ImageOrder if order.kind == "image" else SceneOrder).model_fields)
    return hashlib.sha256(order.model_dump_json(include=fields).encode()).hexdigest()


__all__ = [
    "MAX_PROMPT",
    "MAX_SEED",
    "Aspect",
    "ImageOrder",
    "ImageParameters",
    "Kind",
    "Order",
    "Parameters",
    "Preset",
    "Priority",
    "SceneOrder",
    "SceneParameters",
    "fingerprint",
]
