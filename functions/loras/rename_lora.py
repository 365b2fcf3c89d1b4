"""PATCH /v1/loras/{lora_id}"""

from snapforge.http import Body, Permission, Principal, endpoint
from snapforge.jobs import errors as jobs_errors
from snapforge.jobs.service.submission import naming
from snapforge.kit.ids import LoraId
from snapforge.loras import errors
from snapforge.loras.schemas import Lora, LoraChange


@endpoint(
    "PATCH /v1/loras/{lora_id}",
    permission=Permission.loras_write,
    raises=(errors.LoraNotFound, errors.LoraDeleted, *jobs_errors.MODERATION),
)
def handler(principal: Principal, lora_id: LoraId, body: Body[LoraChange]) -> Lora:
    """Give a LoRA another name. It is read like the words of an order."""
    return naming.rename_lora(principal, lora_id, body)
