"""What a job's run has to do with LoRAs: the files that it draws with, the training that it is, and how that ends."""

from snapforge.aws import tables
from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.results import Result
from snapforge.jobs.domain.requests import ImageParameters, LoraParameters
from snapforge.jobs.domain.results import Delivered
from snapforge.jobs.store import JobRow
from snapforge.loras import domain
from snapforge.loras.service import training, usage


def bind(tx: tables.Transaction, job: JobRow) -> None:
    """Add to a run's beginning what its LoRAs have to say: those it draws with may be used, the one it trains is free.

    Raises LoraNotFound, LoraDeleted, LoraInTraining.
    """
    parameters = job.parameters
    if isinstance(parameters, ImageParameters):
        for use in parameters.loras:
            usage.require_usable(tx, job.org_id, use.id)
    elif isinstance(parameters, LoraParameters):
        plan = training.Plan(
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
        training.begin_version(tx, plan, again=job.run > 1)


def refs(org_id: str, parameters: ImageParameters) -> list[AdapterRef]:
    """The files that an attempt draws with, as of now. LoraNotFound, LoraDeleted, LoraNotReady."""
    return [usage.usable(org_id, use.id, use.version).ref(use.weight) for use in parameters.loras]


def keep(parameters: LoraParameters, result: Result, prefix_uri: str) -> domain.Trained:
    """Copy the adapter of a finished training to where it stays. ValueError where the result holds none."""
    if result.lora is None:
        raise ValueError("the result of a training says nothing of it")
    return training.keep_weights(parameters.lora_id, parameters.lora_version, result.files, prefix_uri, result.lora)


def end(
    tx: tables.Transaction,
    job: JobRow,
    trained: domain.Trained | None,
    result: Result | None,
    preview: Delivered | None,
) -> None:
    """Add the end of a job's training to `tx`; nothing for other kinds."""
    parameters = job.parameters
    if isinstance(parameters, LoraParameters):
        training.end_version(
            tx,
            job.org_id,
            parameters.lora_id,
            parameters.lora_version,
            trained=trained,
            quality=result.lora if result else None,
            samples=preview.key if preview else None,
        )
