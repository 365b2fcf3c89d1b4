"""PATCH /v1/loras/{lora_id}"""

from snapforge.http import Body, Permission, Principal, endpoint
from snapforge.kit.ids import LoraId
from snapforge.loras import errors
from snapforge.loras.schemas import Lora, LoraChange
from snapforge.loras.service import library


@endpoint(
    "PATCH /v1/loras/{lora_id}",
    permission=Permission.loras_write,
    raises=(errors.LoraNotFound, errors.LoraDeleted),
)
def handler(principal: Principal, lora_id: LoraId, body: Body[LoraChange]) -> Lora:
    """Give a LoRA another name."""
    return library.rename_lora(principal.org_id, lora_id, body)
