"""Rows of the table `assets`.

Access patterns                                   key
  upload by id, of an org                         pk org#<org>      sk upload#<upload>
  capture by id, of an org                        pk org#<org>      sk capture#<capture>
  assets of an org, newest first; of a job        pk org#<org>      sk asset#<asset>   (ids of a job share its time)
  photos of a capture, usable and refused         pk capture#<id>   sk photo#<upload>
  who brought this very file first                pk capture#<id>   sk sha256#<hex>
  a photo outside a capture                       pk upload#<id>    sk photo#<upload>
  uploads that never came                         index `unsent`: unsent#upload#<shard>, by expiry
  outbox                                          pk outbox#<event>, index `unsent`

`unsent` is the table's one sparse index: events not yet published and files not yet sent wait in partitions of
their own in it.
"""

from pynamodb.attributes import DiscriminatorAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from snapforge.aws import outbox
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute
from snapforge.aws.tables import Row

SHARDS = 4


class WaitingIndex(GlobalSecondaryIndex["UploadRow"]):  # type: ignore[no-untyped-call]
    """Uploads whose file has not come, by expiry."""

    class Meta:
        index_name = "unsent"
        projection = KeysOnlyProjection()

    unsent = UnicodeAttribute(hash_key=True)
    unsent_at = TimestampAttribute(range_key=True)


class AssetsRow(Row):
    """The base of this table's rows."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "assets"


class UploadRow(AssetsRow, discriminator="Upload"):
    """One file on its way. `unsent` is there while it has not come."""

    org_id = UnicodeAttribute()
    id = UnicodeAttribute()
    capture_id = UnicodeAttribute(null=True)
    name = UnicodeAttribute()
    bytes = IntegerAttribute()
    media_type = UnicodeAttribute()
    sha256 = UnicodeAttribute(null=True)
    key = UnicodeAttribute()
    multipart_id = UnicodeAttribute(null=True)
    state = UnicodeAttribute()
    created_at = TimestampAttribute()
    expires_at = TimestampAttribute()
    unsent = UnicodeAttribute(null=True)
    unsent_at = TimestampAttribute(null=True)
    by_waiting = WaitingIndex()


class CaptureRow(AssetsRow, discriminator="Capture"):
    """A capture and its counts.

    expected = pending + usable + refused; it is kept beside them because a condition cannot add.
    """

    id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    name = UnicodeAttribute()
    created_at = TimestampAttribute()
    version = IntegerAttribute()
    expected = IntegerAttribute()
    pending = IntegerAttribute()
    usable = IntegerAttribute()
    refused = IntegerAttribute()


class PhotoRow(AssetsRow, discriminator="Photo"):
    """What became of a photo.

    `facts` (JSON) and the keys in the assets bucket of a usable one; `code`, `reason`, `fix` of a refused one.
    """

    id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    name = UnicodeAttribute()
    key = UnicodeAttribute(null=True)
    thumbnail = UnicodeAttribute(null=True)
    facts = UnicodeAttribute(null=True)
    code = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    fix = UnicodeAttribute(null=True)
    duplicate_of = UnicodeAttribute(null=True)


class ContentRow(AssetsRow, discriminator="Content"):
    """The first photo of a capture with a content."""

    upload_id = UnicodeAttribute()
    name = UnicodeAttribute()


class AssetRow(AssetsRow, discriminator="Asset"):
    """A finished file. `parameters` and `variants` are JSON."""

    id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    job_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    role = UnicodeAttribute()
    name = UnicodeAttribute()
    key = UnicodeAttribute()
    media_type = UnicodeAttribute()
    bytes = IntegerAttribute()
    sha256 = UnicodeAttribute()
    width = IntegerAttribute(null=True)
    height = IntegerAttribute(null=True)
    parameters = UnicodeAttribute()
    variants = UnicodeAttribute(null=True)
    created_at = TimestampAttribute()


class Outbox(outbox.OutboxRow, discriminator="Outbox"):
    """Events of this context."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "assets"


def photo_pk(capture_id: str | None, upload_id: str) -> str:
    return f"capture#{capture_id}" if capture_id else f"upload#{upload_id}"


def waiting_partition(upload_id: str) -> str:
    return f"unsent#upload#{sum(upload_id.encode()) % SHARDS}"
