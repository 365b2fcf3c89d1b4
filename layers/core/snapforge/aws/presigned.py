"""Addresses at which a client sends an object to S3 by itself, under conditions that S3 enforces."""

import base64
from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import ClientError

from snapforge.aws.clients import client


@dataclass(frozen=True, slots=True)
class Post:
    """A form: all `fields`, then the file as `file`, to `url`."""

    url: str
    fields: dict[str, str]


class PartsRefusedError(RuntimeError):
    """S3 does not put these parts together: one is missing, out of order, too small or not what was sent."""


def post(bucket: str, key: str, *, bytes_: int, media_type: str, sha256: str | None, life: timedelta) -> Post:
    """A form for exactly this key, size (bytes) and type; `sha256` is hex and verified by S3 where given."""
    fields = {"Content-Type": media_type}
    if sha256:
        fields["x-amz-checksum-algorithm"] = "SHA256"
        fields["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
    made = client("s3").generate_presigned_post(
        Bucket=bucket,
        Key=key,
        Fields=dict(fields),
        Conditions=[["content-length-range", bytes_, bytes_], *({name: value} for name, value in fields.items())],
        ExpiresIn=int(life.total_seconds()),
    )
    return Post(made["url"], made["fields"])


def begin_parts(bucket: str, key: str, media_type: str) -> str:
    """Open a multipart upload and return S3's id for it."""
    return client("s3").create_multipart_upload(Bucket=bucket, Key=key, ContentType=media_type)["UploadId"]


def part(bucket: str, key: str, multipart_id: str, number: int, *, life: timedelta) -> str:
    """The address that takes part `number` (from 1) by PUT."""
    return client("s3").generate_presigned_url(
        "upload_part",
        Params={"Bucket": bucket, "Key": key, "UploadId": multipart_id, "PartNumber": number},
        ExpiresIn=int(life.total_seconds()),
    )


def join_parts(bucket: str, key: str, multipart_id: str, parts: list[tuple[int, str]]) -> bool:
    """Make the object of its parts (number, ETag). False when there is no such multipart upload (any more)."""
    try:
        client("s3").complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=multipart_id,
            MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in parts]},
        )
    except ClientError as error:
        match error.response["Error"]["Code"]:
            case "NoSuchUpload":
                return False
            case "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML":
                raise PartsRefusedError(error.response["Error"].get("Message", "")) from error
            case _:
                raise
    return True


def drop_parts(bucket: str, key: str, multipart_id: str) -> None:
    """Abort a multipart upload; that there is none is no error."""
    try:
        client("s3").abort_multipart_upload(Bucket=bucket, Key=key, UploadId=multipart_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
