"""What a customer orders: options, their bounds, and how an order becomes exact parameters; a file for each kind."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from snapforge.jobs.domain.requests.image import MAX_PROMPT, Aspect, ImageOrder, ImageParameters, LoraUse, LoraWish
from snapforge.jobs.domain.requests.lora import LoraOrder, LoraParameters
from snapforge.jobs.domain.requests.priority import Priority
from snapforge.jobs.domain.requests.scene import Preset, SceneOrder, SceneParameters
from snapforge.jobs.domain.requests.seeds import MAX_SEED

Kind = Literal["image", "scene", "lora"]
Order = ImageOrder | SceneOrder | LoraOrder
PhotoOrder = SceneOrder | LoraOrder
"""Orders that are made from a capture."""
Parameters = ImageParameters | SceneParameters | LoraParameters
KeptParameters = Annotated[Parameters, Field(discriminator="kind")]
"""Parameters, as a row keeps and an answer shows them."""
_ORDERS: dict[str, type[Order]] = {"image": ImageOrder, "scene": SceneOrder, "lora": LoraOrder}


def fingerprint(order: Order) -> str:
    """The SHA-256 of what was ordered, without the quote; binds a quote to it."""
    fields = set(_ORDERS[order.kind].model_fields)
    return hashlib.sha256(order.model_dump_json(include=fields).encode()).hexdigest()


__all__ = [
    "MAX_PROMPT",
    "MAX_SEED",
    "Aspect",
    "ImageOrder",
    "ImageParameters",
    "KeptParameters",
    "Kind",
    "LoraOrder",
    "LoraParameters",
    "LoraUse",
    "LoraWish",
    "Order",
    "Parameters",
    "PhotoOrder",
    "Preset",
    "Priority",
    "SceneOrder",
    "SceneParameters",
    "fingerprint",
]
