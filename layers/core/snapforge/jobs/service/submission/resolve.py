"""From an order to a job's exact parameters: what is offered and may be drawn here, and which LoRAs' versions."""

from collections.abc import Sequence

from snapforge.assets.domain import Capture
from snapforge.jobs import errors
from snapforge.jobs.domain import pictures, trainings
from snapforge.jobs.domain.requests import (
    ImageOrder,
    ImageParameters,
    LoraOrder,
    LoraParameters,
    LoraUse,
    SceneOrder,
    SceneParameters,
)
from snapforge.jobs.service.submission import moderation, offers
from snapforge.loras.service import training, usage


def image_parameters(org_id: str, order: ImageOrder, seed: int) -> ImageParameters:
    """The exact parameters of an order of pictures, LoRAs included: a read for each of them.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, InvalidPayload with a pointer, LoraNotFound,
    LoraDeleted, LoraNotReady, LoraDoesNotFit.
    """
    found = [(wish, usage.usable(org_id, wish.id, wish.version)) for wish in order.loras]
    if found and order.model is None:
        order = order.model_copy(update={"model": found[0][1].model})
    uses = [LoraUse(id=wish.id, version=usable.trained.version, weight=wish.weight) for wish, usable in found]
    parameters = _drawable(order, seed, uses)
    for _, usable in found:
        if usable.model != parameters.model:
            raise errors.LoraDoesNotFit(
                f"{usable.id} is a LoRA of {usable.model}; {parameters.model} cannot draw with it.",
                errors=[{"pointer": "/loras", "detail": f"{usable.id} fits {usable.model} only"}],
            )
    return parameters


def _drawable(order: ImageOrder, seed: int, uses: Sequence[LoraUse]) -> ImageParameters:
    """The exact parameters of an order whose prompt may be drawn, with these versions of its LoRAs.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, and InvalidPayload with a pointer.
    """
    moderation.require_drawable(order.prompt)
    with offers.explained(offered=list(offers.image_models())):
        return pictures.resolve(order, seed, offers.image_models(), uses)


def training_parameters(org_id: str, order: LoraOrder, capture: Capture, lora_id: str) -> LoraParameters:
    """The exact parameters of a training; `lora_id` is given to a new LoRA.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, InvalidPayload with a pointer, LoraNotFound,
    LoraDeleted, LoraInTraining.
    """
    moderation.require_drawable(" ".join([order.name or "", order.subject or "", *order.captions.values()]))
    with offers.explained():
        if order.lora_id is None:
            number = 1
            model = trainings.base_model(order, offers.image_models())
            identity = (order.name or "", order.trigger or "", order.subject or "", model)
        else:
            known = training.to_train(org_id, order.lora_id)
            lora_id, number = known.id, known.versions + 1
            identity = (known.name, known.trigger, known.subject, known.model)
        return trainings.resolve(
            order,
            lora_id=lora_id,
            number=number,
            identity=identity,
            capture_version=capture.version,
            names=[photo.name for photo in capture.usable],
        )


def scene_parameters(order: SceneOrder, *, version: int, photos: int) -> SceneParameters:
    """The exact parameters of a scene."""
    return SceneParameters(
        capture_id=order.capture_id,
        capture_version=version,
        photos=photos,
        preset=order.preset,
        usdz=order.usdz,
        longest_side_m=order.longest_side_m,
        floor=order.floor,
        compression=order.compression,
        seed=order.seed,
        priority=order.priority,
    )
