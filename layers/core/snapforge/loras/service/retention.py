"""The end of a LoRA: deleted, restored for a time, purged."""

from contextlib import suppress
from datetime import datetime

from snapforge.aws import s3, settings, tables
from snapforge.contracts.manifest import work_folder
from snapforge.kit import clock
from snapforge.kit.permissions import Principal
from snapforge.loras import errors, schemas, store, views
from snapforge.loras.domain import AGAIN, RESTORABLE, weights_folder
from snapforge.loras.service.library import find
from snapforge.loras.store import LoraRow

_PURGED_AT_ONCE = 50


def delete_lora(principal: Principal, lora_id: str, how: schemas.LoraDelete) -> None:
    """Forbid its use; restorable for a time, unless all of it is to go now. LoraNotFound, LoraInTraining."""
    if how.now:
        purge(principal.org_id, lora_id)
    else:
        delete(principal.org_id, lora_id)


def delete(org_id: str, lora_id: str) -> LoraRow:
    """Forbid its use from now on; it can be restored for a time. Deleting again changes nothing. LoraNotFound."""

    def write() -> LoraRow:
        row = find(org_id, lora_id)
        if row.deleted_at is None:
            now = clock.now()
            row.deleted_at, row.purge_at, row.purge_shard = now, now + RESTORABLE, store.PURGE_SHARD
            store.save_changed(row)
        return row

    return tables.retried(write)


def restore_lora(principal: Principal, lora_id: str) -> schemas.Lora:
    """Allow its use again. LoraNotFound (also when it has been purged), LoraNotDeleted."""

    def write() -> LoraRow:
        row = find(principal.org_id, lora_id)
        if row.deleted_at is None:
            raise errors.LoraNotDeleted()
        if row.purge_at is None or clock.now() >= row.purge_at:
            # Its weights may be half gone.
            raise errors.LoraNotFound()
        row.deleted_at = row.purge_at = row.purge_shard = None
        store.save_changed(row)
        return row

    return views.lora(tables.retried(write))


def purge(org_id: str, lora_id: str) -> None:
    """Remove it for good, now: weights, versions, row. LoraNotFound, LoraInTraining.

    Its use is forbidden first, and can never be restored from then on: where this breaks off, the schedule goes on.
    """

    def forbid() -> LoraRow:
        row = find(org_id, lora_id)
        if row.training is not None:
            raise errors.LoraInTraining(f"{row.name} is being trained by {row.training}.")
        now = clock.now()
        row.deleted_at, row.purge_at, row.purge_shard = row.deleted_at or now, now, store.PURGE_SHARD
        store.save_changed(row)
        return row

    _remove(tables.retried(forbid))


def purge_due(now: datetime) -> int:
    """Remove what was deleted long enough ago; returns how many. One that is being trained is put off."""
    count = 0
    for pk, sk in list(store.due(now, _PURGED_AT_ONCE)):
        row = tables.find(LoraRow, pk, sk)
        if row is None or row.purge_at is None or row.purge_at > now:
            continue
        if row.training is not None:
            row.purge_at = now + AGAIN
            # Changed by somebody meanwhile: the next round looks again.
            with suppress(tables.Stale):
                store.save_changed(row)
            continue
        _remove(row)
        count += 1
    return count


def _remove(row: LoraRow) -> None:
    """Weights first, also where the trainings had left them (checkpoints, results): while the rows stand, what is left
    is found again.
    """
    bucket = f"s3://{settings.get('ASSETS_BUCKET')}"
    s3.erase(f"{bucket}/{weights_folder(row.id)}")
    for version in store.versions_of(row.id):
        s3.erase(f"{bucket}/{work_folder(version.job_id)}")
        version.delete()
    row.delete()
