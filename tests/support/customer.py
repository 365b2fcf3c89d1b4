"""A customer's side: announce files, send them to S3 as a browser does, and let the news of them arrive."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from snapforge.assets import schemas
from snapforge.assets.domain import UploadState
from snapforge.assets.service import arrivals, uploads
from snapforge.aws.events import ObjectCreated
from snapforge.kit import clock, ids
from tests.support.aws import Aws
from tests.support.members import of


def announce(
    org_id: str, files: Sequence[tuple[str, bytes, str]], capture_id: str | None = None
) -> list[schemas.UploadTicket]:
    """A ticket per (name, content, media type)."""
    announced = [schemas.FileAnnounced(name=name, bytes=len(body), media_type=kind) for name, body, kind in files]
    return uploads.presign(of(org_id), schemas.UploadsPresign(capture_id=capture_id, files=announced)).uploads


def send(ticket: schemas.UploadTicket, body: bytes, **changed: str) -> httpx.Response:
    """POST the form; `changed` alters fields (dashes as underscores)."""
    assert ticket.post is not None
    fields = ticket.post.fields | {name.replace("_", "-"): value for name, value in changed.items()}
    return httpx.post(ticket.post.url, data=fields, files={"file": ("blob", body)}, timeout=30)


def news(aws: Aws, org_id: str, upload_id: str, **changes: Any) -> dict[str, Any]:
    """The EventBridge event that S3 sends for an upload that lies in the bucket."""
    key = f"incoming/{org_id}/{upload_id}"
    size = aws.client("s3").head_object(Bucket=aws.uploads_bucket, Key=key)["ContentLength"]
    return object_created(aws, key, size, **changes)


def object_created(aws: Aws, key: str, size: int, **changes: Any) -> dict[str, Any]:
    """`Object Created`, as EventBridge sends it."""
    return {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": clock.rfc3339(clock.now()),
        "detail": {"bucket": {"name": aws.uploads_bucket}, "object": {"key": key, "size": size}},
    } | changes


def as_arrival(event: dict[str, Any]) -> arrivals.Arrival:
    """What on_upload_arrived makes of it."""
    created = ObjectCreated.model_validate(event)
    return arrivals.Arrival(created.detail.object.key, created.detail.object.size, created.time)


def as_message(event: dict[str, Any]) -> dict[str, Any]:
    """A batch of one SQS record that carries an event."""
    return {"Records": [{"messageId": ids.new("event"), "body": json.dumps(event)}]}


def arrive(aws: Aws, org_id: str, upload_id: str, **changes: Any) -> UploadState | None:
    """Let the news of an upload be checked, once."""
    return arrivals.check_arrival(as_arrival(news(aws, org_id, upload_id, **changes)))


def bring(
    aws: Aws, org_id: str, body: bytes, *, name: str = "a.jpg", capture_id: str | None = None, kind: str = "image/jpeg"
) -> str:
    """Announce, send and check one file; its upload id."""
    (ticket,) = announce(org_id, [(name, body, kind)], capture_id)
    answered = send(ticket, body)
    assert answered.status_code in {200, 201, 204}, answered.text
    arrive(aws, org_id, ticket.id)
    return ticket.id
