"""DELETE /v1/loras/{lora_id}"""

from snapforge.http import Permission, Principal, Query, endpoint
from snapforge.kit.ids import LoraId
from snapforge.loras import errors
from snapforge.loras.schemas import LoraDelete
from snapforge.loras.service import retention


@endpoint(
    "DELETE /v1/loras/{lora_id}",
    permission=Permission.loras_write,
    raises=(errors.LoraNotFound, errors.LoraInTraining),
    status=204,
)
def handler(principal: Principal, lora_id: LoraId, query: Query[LoraDelete]) -> None:
    """Forbid the use of a LoRA at once. It can be restored for seven days, then its weights are removed."""
    retention.delete_lora(principal, lora_id, query)
