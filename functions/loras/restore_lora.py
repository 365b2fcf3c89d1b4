"""POST /v1/loras/{lora_id}/restore"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.kit.ids import LoraId
from snapforge.loras import errors
from snapforge.loras.schemas import Lora
from snapforge.loras.service import retention


@endpoint(
    "POST /v1/loras/{lora_id}/restore",
    permission=Permission.loras_write,
    raises=(errors.LoraNotFound, errors.LoraNotDeleted),
)
def handler(principal: Principal, lora_id: LoraId) -> Lora:
    """Have a deleted LoRA back, with all its versions."""
    return retention.restore_lora(principal, lora_id)
