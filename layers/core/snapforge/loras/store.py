"""Rows of the table `loras`.

Access patterns                                  key
  a LoRA of an org                               pk org#<org>     sk lora#<lora>
  LoRAs of an org, newest first                  pk org#<org>     sk lora#…, backwards
  the versions of a LoRA                         pk lora#<lora>   sk version#<number>
  deleted LoRAs whose weights are to be removed  index `purge`: purge_shard, purge_at

A LoRA's row is changed on the condition that its `version` is the one that was read, or that what was decided on
still holds. `training` names the one job that may end a version.
"""

from collections.abc import Iterator
from datetime import datetime

from pynamodb.attributes import DiscriminatorAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection

from snapforge.aws import tables
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute, Typed
from snapforge.aws.tables import org_pk
from snapforge.contracts.results import LoraQuality
from snapforge.loras.domain import Lora, Trained

PURGE_SHARD = "all"
"""Deleting LoRAs is rare: one partition takes it."""


class PurgeIndex(GlobalSecondaryIndex["LoraRow"]):  # type: ignore[no-untyped-call]
    """Deleted LoRAs by when their weights go; sparse."""

    class Meta:
        index_name = "purge"
        projection = IncludeProjection(["cls"])

    purge_shard = UnicodeAttribute(hash_key=True)
    purge_at = TimestampAttribute(range_key=True)


class LorasRow(tables.Row):
    """The base of this table's rows."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "loras"


class LoraRow(LorasRow, discriminator="Lora"):
    """A LoRA."""

    id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    version = IntegerAttribute()
    name = UnicodeAttribute()
    trigger = UnicodeAttribute()
    subject = UnicodeAttribute()
    model = UnicodeAttribute()
    created_by = UnicodeAttribute()
    created_at = TimestampAttribute()
    versions = IntegerAttribute()
    training = UnicodeAttribute(null=True)
    current = Typed[Trained](Trained, null=True)
    deleted_at = TimestampAttribute(null=True)
    purge_shard = UnicodeAttribute(null=True)
    purge_at = TimestampAttribute(null=True)
    by_purge = PurgeIndex()

    def lora(self) -> Lora:
        """As the domain knows it."""
        return Lora(
            id=self.id,
            org_id=self.org_id,
            name=self.name,
            trigger=self.trigger,
            subject=self.subject,
            model=self.model,
            versions=self.versions,
            training=self.training,
            current=self.current,
            created_at=self.created_at,
            deleted_at=self.deleted_at,
            purge_at=self.purge_at,
        )


class VersionRow(LorasRow, discriminator="Version"):
    """One training of a LoRA. `trained` is there once it is finished."""

    number = IntegerAttribute()
    org_id = UnicodeAttribute()
    job_id = UnicodeAttribute()
    state = UnicodeAttribute()
    begun_at = TimestampAttribute()
    ended_at = TimestampAttribute(null=True)
    trained = Typed[Trained](Trained, null=True)
    quality = Typed[LoraQuality](LoraQuality, null=True)
    samples = UnicodeAttribute(null=True)
    """Key of the sample grid in the assets bucket."""


def lora_sk(lora_id: str) -> str:
    return f"lora#{lora_id}"


def versions_pk(lora_id: str) -> str:
    return f"lora#{lora_id}"


def version_sk(number: int) -> str:
    return f"version#{number:04d}"


def find_lora(org_id: str, lora_id: str) -> LoraRow | None:
    """One GetItem."""
    return tables.find(LoraRow, org_pk(org_id), lora_sk(lora_id))


def find_version(lora_id: str, number: int) -> VersionRow | None:
    """One GetItem."""
    return tables.find(VersionRow, versions_pk(lora_id), version_sk(number))


def versions_of(lora_id: str) -> list[VersionRow]:
    """All trainings of a LoRA, the newest first. One Query."""
    return list(
        VersionRow.query(
            versions_pk(lora_id), VersionRow.sk.startswith("version#"), scan_index_forward=False, consistent_read=True
        )
    )


def due(now: datetime, limit: int) -> Iterator[tuple[str, str]]:
    """Keys of deleted LoRAs whose time has come, at most `limit`."""
    for row in LoraRow.by_purge.query(PURGE_SHARD, LoraRow.purge_at <= now, limit=limit):
        yield row.pk, row.sk


def save_changed(row: LoraRow) -> None:
    """Write the changed LoRA by itself. Stale."""
    tx = tables.Transaction()
    tx.put_changed(row)
    tx.commit()
