"""What customers can meet with jobs, and what steps say to themselves."""

from snapforge.assets import errors as assets_errors
from snapforge.kit.errors import Conflict, InvalidPayload, NotFound, Unavailable
from snapforge.loras import errors as loras_errors


class JobNotFound(NotFound):
    code = "job_not_found"
    title = "There is no such job"


class PreviewNotFound(NotFound):
    code = "preview_not_found"
    title = "There is no such preview"
    fix = "Previews are kept for a day; ask for a new one."


class ModelNotOffered(InvalidPayload):
    """The detail lists the models that are."""

    code = "model_not_offered"
    title = "This model is not offered here"
    fix = "Choose one of `GET /v1/catalogue`, or leave `model` out."


class PromptRefused(InvalidPayload):
    """`category` says which rule; nothing was held."""

    code = "prompt_refused"
    title = "This prompt is not drawn here"
    fix = "Change the prompt. If you think that it was misread, write to us."


class ModerationUnavailable(Unavailable):
    code = "moderation_unavailable"
    title = "The prompt could not be checked just now"


class JobAlreadyEnded(Conflict):
    code = "job_already_ended"
    title = "The job has ended"


class JobNotRetryable(Conflict):
    code = "job_not_retryable"
    title = "Only a failed or canceled job can be retried"
    fix = "Look at the job's state; to draw it again, create a new job."


class CaptureNotUsable(Conflict):
    """Nothing was charged: the photos cannot become what was ordered as they are. `reason` is the finding's code."""

    code = "capture_not_usable"
    title = "These photos will not do"
    fix = "Ask for a preview: it says which photos to retake or add."


class LoraDoesNotFit(InvalidPayload):
    """The detail names the model that it fits."""

    code = "lora_does_not_fit"
    title = "This LoRA was trained on another model"
    fix = "Leave `model` out, then the LoRA's own base model draws; blend only LoRAs of one model."


MODERATION = (PromptRefused, ModerationUnavailable)
"""Of reading words: an order's, or a LoRA's name."""
CAPTURE = (assets_errors.CaptureNotFound, assets_errors.CaptureNotReady, CaptureNotUsable)
"""Of ordering from a capture."""
LORA = (*loras_errors.USE, *loras_errors.TRAINING, LoraDoesNotFit)
"""Of ordering with a LoRA, or one."""
