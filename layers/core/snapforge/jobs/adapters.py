"""What jobs ask of LoRAs: which version an order draws with, the training that a job is, and how that ends."""

from collections.abc import Sequence

from snapforge.assets.domain import Capture
from snapforge.aws import tables
from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.results import Result, ResultFile
from snapforge.jobs import errors, moderation, offers
from snapforge.jobs.domain import trainings
from snapforge.jobs.domain.orders import ImageOrder, ImageParameters, LoraOrder, LoraParameters, LoraUse
from snapforge.jobs.results import Delivered
from snapforge.jobs.store import JobRow
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
    moderation.require_drawable(" ".join([order.name or "", order.subject or "", *order.captions.values()]))
    with offers.explained():
        if order.lora_id is None:
            number = 1
            model = trainings.base_model(order, offers.image_models())
            identity = (order.name or "", order.trigger or "", order.subject or "", model)
        else:
            known = loras.to_train(org_id, order.lora_id)
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


def bind(tx: tables.Transaction, job: JobRow) -> None:
    """Add to a run's beginning what its LoRAs have to say: those it draws with may be used, the one it trains is free.

    Raises LoraNotFound, LoraDeleted, LoraInTraining.
    """
    parameters = job.parameters
    if isinstance(parameters, ImageParameters):
        for use in parameters.loras:
            loras.require_usable(tx, job.org_id, use.id)
    elif isinstance(parameters, LoraParameters):
        plan = loras.Plan(
            org_id=job.org_id,
            lora_id=parameters.lora_id,
            number=parameters.lora_version,
            job_id=job.id,
            name=parameters.name,
            trigger=parameters.trigger,
            subject=parameters.subject,
            model=parameters.model,
            by=job.created_by,
        )
        loras.begin_version(tx, plan, again=job.run > 1)


def refs(org_id: str, parameters: ImageParameters) -> list[AdapterRef]:
    """The files that an attempt draws with, as of now. LoraNotFound, LoraDeleted, LoraNotReady."""
    return [loras.usable(org_id, use.id, use.version).ref(use.weight) for use in parameters.loras]


def assets_of(files: Sequence[ResultFile]) -> list[ResultFile]:
    """The files that become assets: an adapter does not, it is its LoRA's and goes with it."""
    return [file for file in files if file.role != loras.ADAPTER]


def keep(parameters: LoraParameters, result: Result, prefix_uri: str) -> loras.Trained:
    """Copy the adapter of a finished training to where it stays. ValueError where the result holds none."""
    if result.lora is None:
        raise ValueError("the result of a training says nothing of it")
    return loras.keep_weights(parameters.lora_id, parameters.lora_version, result.files, prefix_uri, result.lora)


def end(
    tx: tables.Transaction, job: JobRow, trained: loras.Trained | None, result: Result | None, preview: Delivered | None
) -> None:
    """Add the end of a job's training to `tx`; nothing for other kinds."""
    parameters = job.parameters
    if isinstance(parameters, LoraParameters):
        loras.end_version(
            tx,
            job.org_id,
            parameters.lora_id,
            parameters.lora_version,
            trained=trained,
            quality=result.lora if result else None,
            samples=preview.key if preview else None,
        )
