"""GET /v1/loras/{lora_id}"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.kit.ids import LoraId
from snapforge.loras import errors
from snapforge.loras.schemas import LoraDetail
from snapforge.loras.service import library


@endpoint("GET /v1/loras/{lora_id}", permission=Permission.loras_read, raises=(errors.LoraNotFound,))
def handler(principal: Principal, lora_id: LoraId) -> LoraDetail:
    """A LoRA with all its trainings and their sample grids; a deleted one too, while it can be restored."""
    return library.get_lora(principal, lora_id)
