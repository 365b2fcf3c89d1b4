"""A LoRA's rows as its owner sees them."""

from snapforge.assets.service import delivery
from snapforge.loras import schemas
from snapforge.loras.domain import LoraState
from snapforge.loras.store import LoraRow, VersionRow


def lora(row: LoraRow) -> schemas.Lora:
    """As a list shows it."""
    found = row.lora()
    return schemas.Lora(
        id=found.id,
        name=found.name,
        trigger=found.trigger,
        subject=found.subject,
        model=found.model,
        state=found.state,
        version=found.current.version if found.current else None,
        training_job_id=found.training,
        created_at=found.created_at,
        deleted_at=found.deleted_at,
        restorable_until=found.purge_at,
    )


def version(row: VersionRow) -> schemas.LoraVersion:
    """One training."""
    quality = row.quality
    return schemas.LoraVersion(
        version=row.number,
        state=LoraState(row.state),
        job_id=row.job_id,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
        rank=quality.rank if quality else None,
        steps=quality.steps if quality else None,
        photos_used=quality.photos_used if quality else None,
        loss_before=quality.loss_before if quality else None,
        loss_after=quality.loss_after if quality else None,
        samples_url=delivery.sign(row.samples, expires_in=delivery.API_LINKS) if row.samples else None,
    )
