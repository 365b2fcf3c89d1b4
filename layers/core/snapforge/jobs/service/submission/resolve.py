"""From an order to a job's exact parameters: what is offered and may be drawn here, and which LoRAs' versions."""

from collections.abc import Sequence

from snapforge.assets.domain import Capture
from snapforge.jobs import errors
from snapforge.jobs.domain import pictures, trainings
from snapforge.jobs.domain.requests import (
    ImageParameters,
    ImageRequest,
    LoraParameters,
    LoraRequest,
    LoraUse,
    SceneParameters,
    SceneRequest,
)
from snapforge.jobs.service.submission import moderation, offers
from snapforge.loras.service import training, usage


def image_parameters(org_id: str, request: ImageRequest, seed: int) -> ImageParameters:
    """The exact parameters of an order of pictures, LoRAs included: a read for each of them.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, InvalidPayload with a pointer, LoraNotFound,
    LoraDeleted, LoraNotReady, LoraDoesNotFit.
    """
    found = [(selection, usage.usable(org_id, selection.id, selection.version)) for selection in request.loras]
    if found and request.model is None:
        request = request.model_copy(update={"model": found[0][1].model})
    uses = [
        LoraUse(id=selection.id, version=usable.trained.version, weight=selection.weight) for selection, usable in found
    ]
    parameters = _drawable(request, seed, uses)
    for _, usable in found:
        if usable.model != parameters.model:
            raise errors.LoraDoesNotFit(
                f"{usable.id} is a LoRA of {usable.model}; {parameters.model} cannot draw with it.",
                errors=[{"pointer": "/loras", "detail": f"{usable.id} fits {usable.model} only"}],
            )
    return parameters


def _drawable(request: ImageRequest, seed: int, uses: Sequence[LoraUse]) -> ImageParameters:
    """The exact parameters of an order whose prompt may be drawn, with these versions of its LoRAs.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, and InvalidPayload with a pointer.
    """
    moderation.require_drawable(request.prompt)
    with offers.explained(offered=list(offers.image_models())):
        return pictures.resolve(request, seed, offers.image_models(), uses)


def training_parameters(org_id: str, request: LoraRequest, capture: Capture, lora_id: str) -> LoraParameters:
    """The exact parameters of a training; `lora_id` is given to a new LoRA.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, InvalidPayload with a pointer, LoraNotFound,
    LoraDeleted, LoraInTraining.
    """
    with offers.explained():
        if request.lora_id is None:
            number = 1
            model = trainings.base_model(request, offers.image_models())
            identity = (request.name or "", request.trigger or "", request.subject or "", model)
        else:
            known = training.to_train(org_id, request.lora_id)
            lora_id, number = known.id, known.versions + 1
            identity = (known.name, known.trigger, known.subject, known.model)
        # Together, as its pictures will show them; the next version's captions stand beside the LoRA's own words.
        moderation.require_drawable(" ".join([*identity[:3], *request.captions.values()]), pointer="")
        return trainings.resolve(
            request,
            lora_id=lora_id,
            number=number,
            identity=identity,
            capture_version=capture.version,
            names=[photo.name for photo in capture.usable],
        )


def scene_parameters(request: SceneRequest, *, version: int, photos: int) -> SceneParameters:
    """The exact parameters of a scene."""
    return SceneParameters(
        capture_id=request.capture_id,
        capture_version=version,
        photos=photos,
        preset=request.preset,
        usdz=request.usdz,
        longest_side_m=request.longest_side_m,
        floor=request.floor,
        compression=request.compression,
        seed=request.seed,
        priority=request.priority,
    )
