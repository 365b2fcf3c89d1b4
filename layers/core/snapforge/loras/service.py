"""The door of the loras context: what functions and upper contexts may call."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from snapforge.assets import service as assets
from snapforge.kit import clock
from snapforge.kit.page import Page
from snapforge.loras import keeping, schemas, store
from snapforge.loras.domain import Lora, State, Trained, Usable
from snapforge.loras.training import ADAPTER, Plan, begin_version, end_version, keep_weights, trainable
from snapforge.loras.using import require_usable, usable

if TYPE_CHECKING:
    from snapforge.loras.store import LoraRow, VersionRow

__all__ = [
    "ADAPTER",
    "Lora",
    "Plan",
    "Trained",
    "Usable",
    "begin_version",
    "delete_lora",
    "end_version",
    "get_lora",
    "keep_weights",
    "list_loras",
    "purge_due",
    "rename_lora",
    "require_usable",
    "restore_lora",
    "to_train",
    "usable",
]


def to_train(org_id: str, lora_id: str) -> Lora:
    """A LoRA that may be trained again now. LoraNotFound, LoraDeleted, LoraInTraining."""
    return trainable(org_id, lora_id).lora()


def get_lora(org_id: str, lora_id: str) -> schemas.LoraDetail:
    """A LoRA and its trainings, also a deleted one. LoraNotFound."""
    row = keeping.find(org_id, lora_id)
    versions = [_version(version) for version in store.versions_of(lora_id)]
    return schemas.LoraDetail(**_view(row).model_dump(), versions=versions)


def list_loras(org_id: str, query: schemas.LorasQuery) -> Page[schemas.Lora]:
    """The org's LoRAs, newest first. InvalidCursor."""
    rows, cursor = keeping.listed(org_id, limit=query.limit, cursor=query.cursor, deleted=query.deleted)
    return Page(items=[_view(row) for row in rows], next_cursor=cursor)


def rename_lora(
    org_id: str, lora_id: str, change: schemas.LoraChange, *, allowed: Callable[[Lora], None]
) -> schemas.Lora:
    """Give it another name, unless `allowed` raises for it as it will be. LoraNotFound, LoraDeleted."""
    return _view(keeping.rename(org_id, lora_id, change.name, allowed))


def delete_lora(org_id: str, lora_id: str, how: schemas.LoraDelete) -> None:
    """Forbid its use; restorable for a time, unless all of it is to go now. LoraNotFound, LoraInTraining."""
    if how.now:
        keeping.purge(org_id, lora_id)
    else:
        keeping.delete(org_id, lora_id)


def restore_lora(org_id: str, lora_id: str) -> schemas.Lora:
    """Have a deleted one back. LoraNotFound, LoraNotDeleted."""
    return _view(keeping.restore(org_id, lora_id))


def purge_due() -> int:
    """Remove the weights of what was deleted long enough ago; returns how many LoRAs."""
    return keeping.purge_due(clock.now())


def _view(row: "LoraRow") -> schemas.Lora:
    lora = row.lora()
    return schemas.Lora(
        id=lora.id,
        name=lora.name,
        trigger=lora.trigger,
        subject=lora.subject,
        model=lora.model,
        state=lora.state,
        version=lora.current.version if lora.current else None,
        training_job_id=lora.training,
        created_at=lora.created_at,
        deleted_at=lora.deleted_at,
        restorable_until=lora.purge_at,
    )


def _version(row: "VersionRow") -> schemas.LoraVersion:
    quality = row.quality
    return schemas.LoraVersion(
        version=int(row.number),
        state=State(row.state),
        job_id=row.job_id,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        rank=quality.rank if quality else None,
        steps=quality.steps if quality else None,
        photos_used=quality.photos_used if quality else None,
        loss_before=quality.loss_before if quality else None,
        loss_after=quality.loss_after if quality else None,
        samples_url=assets.sign(row.samples, expires_in=assets.API_LINKS) if row.samples else None,
    )
