"""An org's LoRAs: read, listed, named."""

from snapforge.aws import tables
from snapforge.kit.page import Page, decode_cursor, encode_cursor
from snapforge.loras import errors, schemas, store, views
from snapforge.loras.store import LoraRow


def get_lora(org_id: str, lora_id: str) -> schemas.LoraDetail:
    """A LoRA and its trainings, also a deleted one. LoraNotFound."""
    row = find(org_id, lora_id)
    versions = [views.version(version) for version in store.versions_of(lora_id)]
    return schemas.LoraDetail(**views.lora(row).model_dump(), versions=versions)


def list_loras(org_id: str, query: schemas.LorasQuery) -> Page[schemas.Lora]:
    """The org's LoRAs, newest first. InvalidCursor."""
    rows, cursor = _listed(org_id, limit=query.limit, cursor=query.cursor, deleted=query.deleted)
    return Page(items=[views.lora(row) for row in rows], next_cursor=cursor)


def rename_lora(org_id: str, lora_id: str, change: schemas.LoraChange) -> schemas.Lora:
    """Give it another name. LoraNotFound, LoraDeleted."""

    def write() -> LoraRow:
        row = find(org_id, lora_id)
        if row.deleted_at is not None:
            raise errors.LoraDeleted()
        row.name = change.name
        store.save_changed(row)
        return row

    return views.lora(tables.retried(write))


def find(org_id: str, lora_id: str) -> LoraRow:
    """The LoRA's row, deleted or not. LoraNotFound."""
    row = store.find_lora(org_id, lora_id)
    if row is None:
        raise errors.LoraNotFound()
    return row


def _listed(org_id: str, *, limit: int, cursor: str | None, deleted: bool) -> tuple[list[LoraRow], str | None]:
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
