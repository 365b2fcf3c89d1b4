"""Captures: begin one, read one with all that was found, hold a transaction to one."""

from typing import TYPE_CHECKING

from snapforge.assets import domain, errors, schemas, views
from snapforge.assets.domain import Capture, Facts, Photo, RefusedPhoto
from snapforge.assets.refusals import Refusal
from snapforge.assets.store import CaptureRow, PhotoRow
from snapforge.aws import settings, tables
from snapforge.aws.tables import org_pk
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal

if TYPE_CHECKING:
    from snapforge.aws.tables import Transaction


def open_capture(principal: Principal, body: schemas.CaptureCreate) -> schemas.Capture:
    """Begin a capture."""
    return views.capture(create_capture(principal.org_id, body.name))


def read_capture(principal: Principal, capture_id: str) -> schemas.Capture:
    """A capture with its photos. CaptureNotFound."""
    return views.capture(capture_facts(principal.org_id, capture_id))


def create_capture(org_id: str, name: str) -> Capture:
    """Begin an empty one."""
    row = CaptureRow(
        pk=org_pk(org_id),
        sk="",
        id=ids.new("capture"),
        org_id=org_id,
        name=name,
        created_at=clock.now(),
        version=1,
        expected=0,
        pending=0,
        usable=0,
        refused=0,
    )
    row.sk = f"capture#{row.id}"
    row.save()
    return _capture(row, [])


def capture_facts(org_id: str, capture_id: str) -> Capture:
    """The capture with every photo that was checked, warnings included. CaptureNotFound."""
    row = find(org_id, capture_id)
    photos = PhotoRow.query(f"capture#{capture_id}", PhotoRow.sk.startswith("photo#"), consistent_read=True)
    return _capture(row, list(photos))


def find(org_id: str, capture_id: str) -> CaptureRow:
    """The capture's row; CaptureNotFound when it is absent or another org's."""
    row = tables.find(CaptureRow, org_pk(org_id), f"capture#{capture_id}")
    if row is None:
        raise errors.CaptureNotFound()
    return row


def require_ready_capture(tx: "Transaction", org_id: str, capture_id: str, version: int) -> None:
    """Let `tx` fail with CaptureNotReady unless the capture is checked to its end and still at `version`."""
    tx.check(
        CaptureRow,
        org_pk(org_id),
        f"capture#{capture_id}",
        (CaptureRow.version == version) & (CaptureRow.pending == 0) & (CaptureRow.usable > 0),
        failed=lambda _: errors.CaptureNotReady(),
    )


def _capture(row: CaptureRow, photos: list[PhotoRow]) -> Capture:
    return Capture(
        id=row.id,
        org_id=row.org_id,
        name=row.name,
        created_at=row.created_at,
        version=row.version,
        expected=row.expected,
        checked=row.usable + row.refused,
        usable=domain.assess([_usable(photo) for photo in photos if photo.facts]),
        refused=tuple(_refused(photo) for photo in photos if photo.code),
    )


def _usable(row: PhotoRow) -> Photo:
    return Photo(
        row.id, row.name, f"s3://{settings.get('ASSETS_BUCKET')}/{row.key}", Facts.model_validate_json(row.facts)
    )


def _refused(row: PhotoRow) -> RefusedPhoto:
    return RefusedPhoto(row.id, row.name, Refusal(row.code, row.reason, row.fix), row.duplicate_of)
