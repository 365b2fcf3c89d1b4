"""What customers can meet with LoRAs."""

from snapforge.kit.errors import Conflict, NotFound


class LoraNotFound(NotFound):
    code = "lora_not_found"
    title = "There is no such LoRA"
    fix = "`GET /v1/loras` lists those of your organisation."


class LoraDeleted(Conflict):
    """Its weights may still lie there, but nobody may use them."""

    code = "lora_deleted"
    title = "This LoRA was deleted"
    fix = "Restore it first (`POST /v1/loras/{lora_id}/restore`), or use another one."


class LoraNotReady(Conflict):
    code = "lora_not_ready"
    title = "This LoRA has no such finished version"
    fix = "Wait for its training to end, or train it again."


class LoraInTraining(Conflict):
    code = "lora_in_training"
    title = "This LoRA is being trained"
    fix = "Wait for its job to end, or cancel the job first."


class LoraNotDeleted(Conflict):
    code = "lora_not_deleted"
    title = "This LoRA was not deleted"


USE = (LoraNotFound, LoraDeleted, LoraNotReady)
"""Of drawing with a LoRA."""
TRAINING = (LoraNotFound, LoraDeleted, LoraInTraining)
"""Of training a LoRA's next version."""
