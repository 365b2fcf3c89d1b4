"""What a training adds to the transactions of its job: a version begins with the job's run and ends with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapforge.aws import s3, settings, tables
from snapforge.aws.tables import org_pk
from snapforge.contracts.results import ADAPTER, LoraQuality, ResultFile
from snapforge.kit import clock
from snapforge.loras import errors, store
from snapforge.loras.domain import Lora, LoraState, Trained, weights_key
from snapforge.loras.store import LoraRow, VersionRow

if TYPE_CHECKING:
    from snapforge.aws.tables import Transaction

_MEDIA_TYPE = "application/octet-stream"
_PRIVATE = "private, no-store"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which version of which LoRA a job trains."""

    org_id: str
    lora_id: str
    number: int
    job_id: str
    name: str
    trigger: str
    subject: str
    model: str
    by: str


def begin_version(tx: "Transaction", plan: Plan, *, again: bool) -> None:
    """Add the beginning of a training to `tx`. `again`: the job is run another time, its version stands already.

    Raises LoraNotFound, LoraDeleted, LoraInTraining; Stale at commit when the LoRA has changed since it was read.
    """
    if plan.number == 1 and not again:
        tx.put_new(_new(plan), failed=lambda _: RuntimeError(f"{plan.lora_id} exists already"))
    else:
        row = trainable(plan.org_id, plan.lora_id)
        row.training = plan.job_id
        row.versions = max(row.versions, plan.number)
        tx.put_changed(row)
    tx.put(
        VersionRow(
            store.versions_pk(plan.lora_id),
            store.version_sk(plan.number),
            number=plan.number,
            org_id=plan.org_id,
            job_id=plan.job_id,
            state=LoraState.training.value,
            begun_at=clock.now(),
        ),
        VersionRow.pk.does_not_exist() | (VersionRow.job_id == plan.job_id),
        failed=lambda _: tables.Stale(),
    )


def to_train(org_id: str, lora_id: str) -> Lora:
    """A LoRA that may be trained again now. LoraNotFound, LoraDeleted, LoraInTraining."""
    return trainable(org_id, lora_id).lora()


def trainable(org_id: str, lora_id: str) -> LoraRow:
    """The row of a LoRA that may be trained now. LoraNotFound, LoraDeleted, LoraInTraining."""
    row = store.find_lora(org_id, lora_id)
    if row is None:
        raise errors.LoraNotFound()
    if row.deleted_at is not None:
        raise errors.LoraDeleted()
    if row.training is not None:
        raise errors.LoraInTraining(f"{row.name} is being trained by {row.training}.")
    return row


def _new(plan: Plan) -> LoraRow:
    return LoraRow(
        org_pk(plan.org_id),
        store.lora_sk(plan.lora_id),
        id=plan.lora_id,
        org_id=plan.org_id,
        version=1,
        name=plan.name,
        trigger=plan.trigger,
        subject=plan.subject,
        model=plan.model,
        created_by=plan.by,
        created_at=clock.now(),
        versions=1,
        training=plan.job_id,
    )


def keep_weights(
    lora_id: str, number: int, files: Sequence[ResultFile], prefix_uri: str, quality: LoraQuality
) -> Trained:
    """Copy a finished training's adapter to where it stays; done before the transaction, and again without harm.

    ValueError where the training left no adapter.
    """
    file = next((file for file in files if file.role == ADAPTER), None)
    if file is None:
        raise ValueError(f"no adapter below {prefix_uri}")
    uri = f"s3://{settings.get('ASSETS_BUCKET')}/{weights_key(lora_id, number)}"
    s3.copy(prefix_uri + file.name, uri, media_type=_MEDIA_TYPE, cache=_PRIVATE)
    return Trained(version=number, uri=uri, sha256=file.sha256, family=quality.family, rank=quality.rank)


def end_version(
    tx: "Transaction",
    org_id: str,
    lora_id: str,
    number: int,
    *,
    trained: Trained | None,
    quality: LoraQuality | None = None,
    samples: str | None = None,
) -> None:
    """Add the end of a training to `tx`: with `trained` the version can be used from now on, without it has failed.

    samples: the key of its grid. Stale at commit when the LoRA has changed since it was read.
    """
    row, version = store.find_lora(org_id, lora_id), store.find_version(lora_id, number)
    if row is None or version is None:
        # Purged: only what is not trained is. There is nothing left that could be used.
        return
    row.training = None
    if trained is not None and (row.current is None or row.current.version <= number):
        row.current = trained
    tx.put_changed(row)
    version.state = (LoraState.ready if trained else LoraState.failed).value
    version.ended_at, version.trained, version.quality, version.samples = clock.now(), trained, quality, samples
    tx.put(version, VersionRow.job_id == version.job_id, failed=lambda _: tables.Stale())
