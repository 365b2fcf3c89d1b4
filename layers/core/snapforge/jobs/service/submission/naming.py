"""A LoRA's new name: read like the one it was ordered with."""

from snapforge.jobs.service.submission import moderation
from snapforge.kit.permissions import Principal
from snapforge.loras import schemas
from snapforge.loras.domain import Lora
from snapforge.loras.service import library


def rename_lora(principal: Principal, lora_id: str, change: schemas.LoraChange) -> schemas.Lora:
    """Give a LoRA another name. LoraNotFound, LoraDeleted, PromptRefused, ModerationUnavailable."""
    return library.rename_lora(principal.org_id, lora_id, change, allowed=_require_drawable)


def _require_drawable(renamed: Lora) -> None:
    """With its other words, as in an order: a name alone may be harmless."""
    moderation.require_drawable(" ".join((renamed.name, renamed.trigger, renamed.subject)), pointer="/name")
