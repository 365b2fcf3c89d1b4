"""A LoRA's life beside its trainings: read, named, deleted, restored, purged."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from snapforge.aws import s3, settings, tables
from snapforge.contracts.manifest import work_folder
from snapforge.kit import clock, ids
from snapforge.kit.page import decode_cursor, encode_cursor
from snapforge.loras import errors, store
from snapforge.loras.domain import AGAIN, RESTORABLE, Lora, weights_folder
from snapforge.loras.store import LoraRow

_PURGED_AT_ONCE = 50


def find(org_id: str, lora_id: str) -> LoraRow:
    """The LoRA's row, deleted or not. LoraNotFound."""
    row = store.find_lora(org_id, lora_id) if ids.is_id(lora_id, "lora") else None
    if row is None:
        raise errors.LoraNotFound()
    return row


def listed(org_id: str, *, limit: int, cursor: str | None, deleted: bool) -> tuple[list[LoraRow], str | None]:
    """An org's LoRAs, newest first, and the cursor of the next page; those that were deleted, or the others.

    InvalidCursor.
    """
    before = decode_cursor(cursor, prefix="lora#") if cursor else None
    wanted = LoraRow.deleted_at.exists() if deleted else LoraRow.deleted_at.does_not_exist()
    rows: list[LoraRow] = []
    for row in LoraRow.query(
        store.org_pk(org_id),
        LoraRow.sk.startswith("lora#"),
        filter_condition=wanted,
        scan_index_forward=False,
        last_evaluated_key={"pk": {"S": store.org_pk(org_id)}, "sk": {"S": before}} if before else None,
        page_size=100,
    ):
        if len(rows) == limit:
            return rows, encode_cursor(rows[-1].sk)
        rows.append(row)
    return rows, None


def rename(org_id: str, lora_id: str, name: str, allowed: Callable[[Lora], None]) -> LoraRow:
    """Give it another name, unless `allowed` raises for it as it will be. LoraNotFound, LoraDeleted."""

    def write() -> LoraRow:
        row = find(org_id, lora_id)
        if row.deleted_at is not None:
            raise errors.LoraDeleted()
        row.name = name
        allowed(row.lora())
        store.save_changed(row)
        return row

    return tables.retried(write)


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


def restore(org_id: str, lora_id: str) -> LoraRow:
    """Allow its use again. LoraNotFound (also when it has been purged), LoraNotDeleted."""

    def write() -> LoraRow:
        row = find(org_id, lora_id)
        if row.deleted_at is None:
            raise errors.LoraNotDeleted()
        if row.purge_at is None or clock.now() >= row.purge_at:
            # Its weights may be half gone.
            raise errors.LoraNotFound()
        row.deleted_at = row.purge_at = row.purge_shard = None
        store.save_changed(row)
        return row

    return tables.retried(write)


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
