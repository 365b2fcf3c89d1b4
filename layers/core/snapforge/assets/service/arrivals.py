"""A file has arrived in S3: checked, converted, measured, and counted exactly once.

S3's events come at least once and in any order. Everything before the one transaction writes the same bytes to the same
keys however often it runs; the transaction goes through once, by the condition that the upload still waits.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from snapforge.assets import domain, refusals
from snapforge.assets.domain import Facts, UploadState
from snapforge.assets.refusals import Refusal
from snapforge.assets.service.results import IMMUTABLE, asset_uri
from snapforge.assets.store import CaptureRow, ContentRow, PhotoRow, UploadRow, photo_pk
from snapforge.aws import s3, settings, tables
from snapforge.aws.tables import Item, Transaction, org_pk

INCOMING = "incoming/"
ORIGINALS = "originals/"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object of the uploads bucket that S3 says was created."""

    key: str
    bytes: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one file came to: exactly one of `refusal`, `facts` (a photo), `archive`."""

    refusal: Refusal | None = None
    duplicate_of: str | None = None
    facts: Facts | None = None
    key: str | None = None
    thumbnail: str | None = None
    archive: bool = False

    @property
    def state(self) -> UploadState:
        if self.refusal is not None:
            return UploadState.refused
        return UploadState.stored if self.archive else UploadState.usable


class _AlreadyChecked(Exception):
    """Another delivery of the same event was faster."""


class _Duplicate(Exception):
    """The capture holds this content already, as `of` (an upload's id), named `name`."""

    def __init__(self, of: str, name: str) -> None:
        super().__init__(of)
        self.of = of
        self.name = name


def check_arrival(arrival: Arrival) -> UploadState | None:
    """Check one arrived file; returns what became of its upload, None for a file that is none of ours."""
    upload = _find_upload(arrival.key)
    if upload is None:
        return None
    if upload.state == UploadState.waiting:
        with suppress(_AlreadyChecked):
            _check_and_record(upload, arrival)
        upload = _find_upload(arrival.key)
    state = UploadState(upload.state) if upload else None
    if state in {UploadState.usable, UploadState.stored}:
        # The original lies elsewhere by now. What was refused or came too late is left to the bucket's lifecycle.
        s3.delete(_uploads_uri(arrival.key))
    return state


def _find_upload(key: str) -> UploadRow | None:
    if not key.startswith(INCOMING) or key.count("/") != 2:
        return None
    _, org_id, upload_id = key.split("/")
    return tables.find(UploadRow, org_pk(org_id), f"upload#{upload_id}")


def _check_and_record(upload: UploadRow, arrival: Arrival) -> None:
    checked = _check(upload, arrival)
    try:
        _record(upload, checked)
    except _Duplicate as twin:
        # Two of the same arrived at once, and the other was faster.
        for uri in (asset_uri(f"{checked.key}"), _uploads_uri(_original_key(upload))):
            s3.delete(uri)
        _record(upload, _duplicate(twin.of, twin.name))


def _check(upload: UploadRow, arrival: Arrival) -> Checked:
    refusal = domain.refuse_arrived(
        announced=upload.bytes, arrived=arrival.bytes, at=arrival.at, expires_at=upload.expires_at
    )
    if refusal is not None:
        return Checked(refusal=refusal)
    return _check_archive(upload) if upload.media_type in domain.ARCHIVE_TYPES else _check_photo(upload)


def _check_archive(upload: UploadRow) -> Checked:
    uri = _uploads_uri(upload.key)
    if not s3.beginning(uri, 4).startswith(ZIP_MAGIC):
        return Checked(refusal=refusals.not_an_archive())
    s3.copy_large(uri, _uploads_uri(_original_key(upload)))
    return Checked(archive=True)


def _check_photo(upload: UploadRow) -> Checked:
    data = s3.find(_uploads_uri(upload.key))
    if data is None:
        raise _AlreadyChecked
    digest = hashlib.sha256(data).hexdigest()
    if upload.sha256 is not None and digest != upload.sha256:
        return Checked(refusal=refusals.checksum_differs())
    twin = tables.find(ContentRow, f"capture#{upload.capture_id}", f"sha256#{digest}") if upload.capture_id else None
    if twin is not None and twin.upload_id != upload.id:
        return _duplicate(twin.upload_id, twin.name)
    return _convert(upload, data)


def _convert(upload: UploadRow, data: bytes) -> Checked:
    from snapforge.assets.pictures import opening, photo

    try:
        prepared = photo.prepare(data)
    except opening.Refused as refused:
        return Checked(refusal=refused.refusal)
    working, small = prepared.working, prepared.thumbnail
    key = f"photos/{upload.org_id}/{upload.id}.{domain.EXTENSIONS[working.media_type]}"
    thumbnail = domain.content_key(hashlib.sha256(small.body).hexdigest(), small.media_type)
    s3.put(asset_uri(key), working.body, working.media_type)
    s3.put(asset_uri(thumbnail), small.body, small.media_type, cache=IMMUTABLE)
    # Put, not copied: the form could be sent once more meanwhile, and what is kept must be what was checked.
    s3.put(_uploads_uri(_original_key(upload)), data, prepared.facts.media_type)
    return Checked(facts=prepared.facts, key=key, thumbnail=thumbnail)


def _duplicate(of: str, name: str) -> Checked:
    return Checked(refusal=refusals.duplicate_photo(name), duplicate_of=of)


def _record(upload: UploadRow, checked: Checked) -> None:
    """Upload, photo and counts change together. _AlreadyChecked, _Duplicate."""
    tx = Transaction()
    tx.update(
        UploadRow(upload.pk, upload.sk),
        [UploadRow.state.set(checked.state.value), UploadRow.unsent.remove(), UploadRow.unsent_at.remove()],
        UploadRow.state == UploadState.waiting.value,
        failed=lambda _: _AlreadyChecked(),
    )
    if not checked.archive:
        _put_photo(tx, upload, checked)
    if upload.capture_id is not None:
        _count(tx, upload, checked)
    tx.commit()


def _put_photo(tx: Transaction, upload: UploadRow, checked: Checked) -> None:
    row = PhotoRow(
        pk=photo_pk(upload.capture_id, upload.id),
        sk=f"photo#{upload.id}",
        id=upload.id,
        org_id=upload.org_id,
        name=upload.name,
        key=checked.key,
        thumbnail=checked.thumbnail,
        facts=checked.facts.model_dump_json() if checked.facts else None,
        duplicate_of=checked.duplicate_of,
    )
    if checked.refusal is not None:
        row.code, row.reason, row.fix = checked.refusal.code, checked.refusal.reason, checked.refusal.fix
    tx.put_new(row, failed=lambda _: _AlreadyChecked())


def _count(tx: Transaction, upload: UploadRow, checked: Checked) -> None:
    counted = CaptureRow.usable if checked.facts else CaptureRow.refused
    tx.update(
        CaptureRow(org_pk(upload.org_id), f"capture#{upload.capture_id}"),
        [CaptureRow.pending.add(-1), counted.add(1), CaptureRow.version.add(1)],
        CaptureRow.pending > 0,
        failed=lambda _: RuntimeError(f"{upload.capture_id} does not expect {upload.id}"),
    )
    if checked.facts is not None:
        first = ContentRow(
            pk=f"capture#{upload.capture_id}",
            sk=f"sha256#{checked.facts.sha256}",
            upload_id=upload.id,
            name=upload.name,
        )
        tx.put_new(first, failed=_claimed)


def _claimed(first: Item | None) -> Exception:
    return _Duplicate(first["upload_id"]["S"], first["name"]["S"]) if first else RuntimeError("claimed by nobody")


def _original_key(upload: UploadRow) -> str:
    return f"{ORIGINALS}{upload.org_id}/{upload.id}"


def _uploads_uri(key: str) -> str:
    return f"s3://{settings.get('UPLOADS_BUCKET')}/{key}"
