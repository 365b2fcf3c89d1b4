"""An org's LoRAs: read, listed, named."""

from collections.abc import Callable

from snapforge.aws import lists, tables
from snapforge.aws.tables import org_pk
from snapforge.kit.page import Page
from snapforge.kit.permissions import Principal
from snapforge.loras import errors, schemas, store, views
from snapforge.loras.domain import Lora
from snapforge.loras.store import LoraRow


def get_lora(principal: Principal, lora_id: str) -> schemas.LoraDetail:
    """A LoRA and its trainings, also a deleted one. LoraNotFound."""
    row = find(principal.org_id, lora_id)
    versions = [views.version(version) for version in store.versions_of(lora_id)]
    return schemas.LoraDetail(**views.lora(row).model_dump(), versions=versions)


def list_loras(principal: Principal, query: schemas.LorasQuery) -> Page[schemas.Lora]:
    """The org's LoRAs, newest first: those that were deleted, or the others. InvalidCursor."""
    where = LoraRow.deleted_at.exists() if query.deleted else LoraRow.deleted_at.does_not_exist()
    found = lists.newest_first(
        LoraRow, org_pk(principal.org_id), prefix="lora#", cursor=query.cursor, page_size=100, where=where
    )
    return lists.page(found, query.limit, key=lambda row: row.sk, view=views.lora)


def rename_lora(
    org_id: str, lora_id: str, change: schemas.LoraChange, *, allowed: Callable[[Lora], None]
) -> schemas.Lora:
    """Give it another name, unless `allowed` raises for it as it will be. LoraNotFound, LoraDeleted."""

    def write() -> LoraRow:
        row = find(org_id, lora_id)
        if row.deleted_at is not None:
            raise errors.LoraDeleted()
        row.name = change.name
        allowed(row.lora())
        store.save_changed(row)
        return row

    return views.lora(tables.retried(write))


def find(org_id: str, lora_id: str) -> LoraRow:
    """The LoRA's row, deleted or not. LoraNotFound."""
    row = store.find_lora(org_id, lora_id)
    if row is None:
        raise errors.LoraNotFound()
    return row
