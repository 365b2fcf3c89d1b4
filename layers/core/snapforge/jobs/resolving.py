"""From an order to a job's exact parameters: what is offered and may be drawn here, and which LoRAs' versions."""

from snapforge.assets.domain import Capture
from snapforge.jobs import errors, moderation, offers
from snapforge.jobs.domain import trainings
from snapforge.jobs.domain.orders import ImageOrder, ImageParameters, LoraOrder, LoraParameters, LoraUse
from snapforge.loras import service as loras


def image_parameters(org_id: str, order: ImageOrder, seed: int) -> ImageParameters:
    """The exact parameters of an order of pictures, LoRAs included: a read for each of them.

    Raises what `offers.image_parameters` does, and LoraNotFound, LoraDeleted, LoraNotReady, LoraDoesNotFit.
    """
    found = [(wish, loras.usable(org_id, wish.id, wish.version)) for wish in order.loras]
    if found and order.model is None:
        order = order.model_copy(update={"model": found[0][1].model})
    uses = [LoraUse(id=wish.id, version=usable.trained.version, weight=wish.weight) for wish, usable in found]
    parameters = offers.image_parameters(order, seed, uses)
    for _, usable in found:
        if usable.model != parameters.model:
            raise errors.LoraDoesNotFit(
                f"{usable.id} is a LoRA of {usable.model}; {parameters.model} cannot draw with it.",
                errors=[{"pointer": "/loras", "detail": f"{usable.id} fits {usable.model} only"}],
            )
    return parameters


def training_parameters(org_id: str, order: LoraOrder, capture: Capture, lora_id: str) -> LoraParameters:
    """The exact parameters of a training; `lora_id` is given to a new LoRA.

    Raises PromptRefused, ModerationUnavailable, ModelNotOffered, InvalidPayload with a pointer, LoraNotFound,
    LoraDeleted, LoraInTraining.
    """
    with offers.explained():
        if order.lora_id is None:
            number = 1
            model = trainings.base_model(order, offers.image_models())
            identity = (order.name or "", order.trigger or "", order.subject or "", model)
        else:
            known = loras.to_train(org_id, order.lora_id)
            lora_id, number = known.id, known.versions + 1
            identity = (known.name, known.trigger, known.subject, known.model)
        # Together, as its pictures will show them; the next version's captions stand beside the LoRA's own words.
        moderation.require_drawable(" ".join([*identity[:3], *order.captions.values()]), pointer="")
        return trainings.resolve(
            order,
            lora_id=lora_id,
            number=number,
            identity=identity,
            capture_version=capture.version,
            names=[photo.name for photo in capture.usable],
        )
