"""Uploads: announced and presigned, put together from parts, looked at, swept when they never came."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from snapforge.assets import domain, errors, schemas, views
from snapforge.assets.domain import MAX_PHOTOS, Announced, UploadState
from snapforge.assets.schemas import PresignedPart, PresignedPost, UploadTicket
from snapforge.assets.service import captures, delivery
from snapforge.assets.store import SHARDS, CaptureRow, PhotoRow, UploadRow, photo_pk, waiting_partition
from snapforge.aws import presigned, settings, tables
from snapforge.aws.tables import Transaction, org_pk
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal

if TYPE_CHECKING:
    from snapforge.aws.tables import Item

ROWS_PER_TRANSACTION = 50
"""Of at most 100 parts; the capture's count needs one."""


def presign(principal: Principal, body: schemas.UploadsPresign) -> schemas.UploadTickets:
    """Announce files. FileRefused, CaptureNotFound, CaptureFull."""
    files = [
        Announced(file.name, file.bytes, file.media_type.lower(), _hex(file.sha256) if file.sha256 else None)
        for file in body.files
    ]
    return schemas.UploadTickets(uploads=open_uploads(principal.org_id, files, body.capture_id))


def complete_upload(principal: Principal, upload_id: str, body: schemas.UploadComplete) -> schemas.Upload:
    """Put a multipart upload together. UploadNotFound, UploadNotOpen, PartsDoNotFit."""
    return views.upload(
        join_parts(principal.org_id, upload_id, [(part.number, part.etag) for part in body.parts]), None
    )


def read_upload(principal: Principal, upload_id: str) -> schemas.Upload:
    """An upload and what became of it. UploadNotFound."""
    row = find(principal.org_id, upload_id)
    photo = find_photo(row)
    thumbnail = delivery.sign(photo.thumbnail, expires_in=delivery.API_LINKS) if photo and photo.thumbnail else None
    return views.upload(row, photo, thumbnail)


def open_uploads(org_id: str, files: Sequence[Announced], capture_id: str | None) -> list[UploadTicket]:
    """Open an upload per file and say how to send it, in order.

    FileRefused, CaptureNotFound, CaptureFull. All files are judged before the first upload is opened.
    """
    refused = [
        (place, file.name, why)
        for place, file in enumerate(files)
        if (why := domain.refuse_announced(file, in_capture=capture_id is not None))
    ]
    if refused:
        raise errors.FileRefused(refused)
    if capture_id is not None:
        _room_for(len(files), captures.find(org_id, capture_id))
    now = clock.now()
    rows = [_row(org_id, file, capture_id, now) for file in files]
    for start in range(0, len(rows), ROWS_PER_TRANSACTION):
        _open(org_id, capture_id, rows[start : start + ROWS_PER_TRANSACTION])
    return [_ticket(row, file) for row, file in zip(rows, files, strict=True)]


def _room_for(count: int, capture: CaptureRow) -> None:
    room = MAX_PHOTOS - capture.expected
    if count > room:
        raise errors.CaptureFull(f"There is room for {room} more photos, not for {count}.", room=room)


def _row(org_id: str, file: Announced, capture_id: str | None, now: datetime) -> UploadRow:
    upload_id = ids.new("upload")
    key = f"incoming/{org_id}/{upload_id}"
    expires_at = now + file.life
    multipart_id = (
        presigned.begin_parts(settings.get("UPLOADS_BUCKET"), key, file.media_type) if file.multipart else None
    )
    return UploadRow(
        pk=org_pk(org_id),
        sk=f"upload#{upload_id}",
        org_id=org_id,
        id=upload_id,
        capture_id=capture_id,
        name=file.name,
        bytes=file.bytes,
        media_type=file.media_type,
        sha256=file.sha256,
        key=key,
        multipart_id=multipart_id,
        state=UploadState.waiting.value,
        created_at=now,
        expires_at=expires_at,
        unsent=waiting_partition(upload_id),
        unsent_at=expires_at,
    )


def _open(org_id: str, capture_id: str | None, rows: Sequence[UploadRow]) -> None:
    """Write the uploads and count them in their capture. A later group that fails leaves the earlier ones to expire."""
    tx = Transaction()
    if capture_id is not None:
        count = len(rows)
        tx.update(
            CaptureRow(org_pk(org_id), f"capture#{capture_id}"),
            [CaptureRow.expected.add(count), CaptureRow.pending.add(count), CaptureRow.version.add(1)],
            CaptureRow.expected <= MAX_PHOTOS - count,
            failed=_full,
        )
    for row in rows:
        tx.put_new(row, failed=lambda _: RuntimeError("an upload id was given twice"))
    tx.commit()


def _full(old: "Item | None") -> Exception:
    room = MAX_PHOTOS - int(old["expected"]["N"]) if old else 0
    return errors.CaptureFull(f"There is room for {room} more photos.", room=room)


def _ticket(row: UploadRow, file: Announced) -> UploadTicket:
    bucket = settings.get("UPLOADS_BUCKET")
    ticket = UploadTicket(id=row.id, name=row.name, expires_at=row.expires_at)
    if row.multipart_id is not None:
        ticket.parts = _parts(bucket, row)
    else:
        made = presigned.post(
            bucket, row.key, bytes_=file.bytes, media_type=file.media_type, sha256=file.sha256, life=file.life
        )
        ticket.post = PresignedPost(url=made.url, fields=made.fields)
    return ticket


def _parts(bucket: str, row: UploadRow) -> list[PresignedPart]:
    size, step = row.bytes, domain.PART_BYTES
    return [
        PresignedPart(
            number=number,
            offset=(number - 1) * step,
            bytes=min(step, size - (number - 1) * step),
            url=presigned.part(bucket, row.key, row.multipart_id, number, life=domain.MULTIPART_LIFE),
        )
        for number in range(1, domain.part_count(size) + 1)
    ]


def join_parts(org_id: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> UploadRow:
    """Put the parts (number, ETag) together; the check follows as for any other file.

    Doing it twice is harmless. UploadNotFound, UploadNotOpen, PartsDoNotFit.
    """
    row = find(org_id, upload_id)
    if row.multipart_id is None or row.state in {UploadState.expired, UploadState.refused}:
        raise errors.UploadNotOpen()
    if row.state != UploadState.waiting:
        return row
    if [number for number, _ in parts] != list(range(1, domain.part_count(row.bytes) + 1)):
        raise errors.PartsDoNotFit(f"Parts 1 to {domain.part_count(row.bytes)} are expected, in order.")
    try:
        # That S3 knows no such upload any more means that an earlier call has joined it: only the sweeper drops parts,
        # and it marks the row first.
        presigned.join_parts(settings.get("UPLOADS_BUCKET"), row.key, row.multipart_id, list(parts))
    except presigned.PartsRefusedError as error:
        raise errors.PartsDoNotFit() from error
    return row


def find(org_id: str, upload_id: str) -> UploadRow:
    """The upload's row; UploadNotFound when it is absent or another org's."""
    row = tables.find(UploadRow, org_pk(org_id), f"upload#{upload_id}")
    if row is None:
        raise errors.UploadNotFound()
    return row


def find_photo(upload: UploadRow) -> PhotoRow | None:
    """What became of an upload's photo; None while it was not checked (or is none)."""
    if upload.state not in {UploadState.usable, UploadState.refused}:
        return None
    return tables.find(PhotoRow, photo_pk(upload.capture_id, upload.id), f"photo#{upload.id}")


def sweep_uploads() -> int:
    """Mark uploads that never came as expired and take them out of their captures' counts; returns how many."""
    before = clock.now() - domain.ARRIVAL_GRACE
    swept = 0
    for shard in range(SHARDS):
        for key in UploadRow.by_waiting.query(f"unsent#upload#{shard}", UploadRow.unsent_at < before):
            row = tables.find(UploadRow, key.pk, key.sk)
            if row is not None and row.state == UploadState.waiting:
                swept += _expire(row)
    return swept


class _MeanwhileArrived(Exception):
    pass


def _expire(row: UploadRow) -> bool:
    tx = Transaction()
    tx.update(
        UploadRow(row.pk, row.sk),
        [UploadRow.state.set(UploadState.expired.value), UploadRow.unsent.remove(), UploadRow.unsent_at.remove()],
        UploadRow.state == UploadState.waiting.value,
        failed=lambda _: _MeanwhileArrived(),
    )
    if row.capture_id is not None:
        tx.update(
            CaptureRow(row.pk, f"capture#{row.capture_id}"),
            [CaptureRow.expected.add(-1), CaptureRow.pending.add(-1), CaptureRow.version.add(1)],
            CaptureRow.pending > 0,
            failed=lambda _: RuntimeError(f"{row.capture_id} does not expect {row.id}"),
        )
    try:
        tx.commit()
    except _MeanwhileArrived:
        return False
    if row.multipart_id is not None:
        presigned.drop_parts(settings.get("UPLOADS_BUCKET"), row.key, row.multipart_id)
    return True


def _hex(digest: str) -> str:
    """A SHA-256 given as hex or base64, as hex."""
    return digest if len(digest) == 64 else base64.b64decode(digest).hex()
