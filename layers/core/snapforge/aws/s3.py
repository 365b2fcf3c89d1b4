"""Objects in S3, addressed as `s3://bucket/key`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from snapforge.aws.clients import client


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` → (`bucket`, `a/b`). ValueError for anything else."""
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash:
        raise ValueError(f"{uri!r} is no s3:// address")
    return bucket, key


def get(uri: str) -> bytes:
    """The whole object; botocore's ClientError when there is none."""
    bucket, key = split(uri)
    return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def put(uri: str, body: bytes, media_type: str, *, cache: str = "", download_name: str = "") -> None:
    """Write an object. `cache` is its Cache-Control; `download_name` sets Content-Disposition."""
    bucket, key = split(uri)
    more: dict[str, Any] = {}
    if cache:
        more["CacheControl"] = cache
    if download_name:
        more["ContentDisposition"] = f'attachment; filename="{download_name}"'
    client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type, **more)


def put_first(uri: str, body: bytes, media_type: str) -> bool:
    """Write an object unless there is one; False where there is."""
    bucket, key = split(uri)
    try:
        client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type, IfNoneMatch="*")
    except ClientError as error:
        # 409: somebody writes it at this moment.
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
            return False
        raise
    return True


def exists(uri: str) -> bool:
    """Whether there is such an object."""
    return modified(uri) is not None


def modified(uri: str) -> datetime | None:
    """When an object was last written, by S3's clock; None when there is none."""
    bucket, key = split(uri)
    try:
        return client("s3").head_object(Bucket=bucket, Key=key)["LastModified"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
            return None
        raise


def copy(source: str, target: str, *, media_type: str, cache: str) -> None:
    """Server-side copy up to 5 GB, with new headers."""
    from_bucket, from_key = split(source)
    bucket, key = split(target)
    client("s3").copy_object(
        CopySource={"Bucket": from_bucket, "Key": from_key},
        Bucket=bucket,
        Key=key,
        MetadataDirective="REPLACE",
        ContentType=media_type,
        CacheControl=cache,
    )


def delete(uri: str) -> None:
    """Remove an object; that there is none is no error."""
    bucket, key = split(uri)
    client("s3").delete_object(Bucket=bucket, Key=key)


def erase(prefix: str) -> None:
    """Remove all objects below a prefix for good: every version that a versioned bucket keeps."""
    bucket, key = split(prefix)
    for page in client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client("s3").delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])


def names(prefix: str) -> Iterator[str]:
    """The addresses of all objects below a prefix."""
    bucket, key = split(prefix)
    for page in client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
        for found in page.get("Contents", ()):
            yield f"s3://{bucket}/{found['Key']}"


def find(uri: str) -> bytes | None:
    """The whole object, or None when there is none."""
    bucket, key = split(uri)
    try:
        return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return None
        raise


def beginning(uri: str, count: int) -> bytes:
    """The first `count` bytes of an object."""
    bucket, key = split(uri)
    return client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{count - 1}")["Body"].read()


def copy_large(source: str, target: str) -> None:
    """Server-side copy of any size, in parts where it must be; headers come along."""
    from s3transfer.manager import TransferConfig, TransferManager

    from_bucket, from_key = split(source)
    bucket, key = split(target)
    mebibyte = 1024 * 1024
    parts = TransferConfig(multipart_threshold=256 * mebibyte, multipart_chunksize=256 * mebibyte)
    with TransferManager(client("s3"), parts) as manager:
        manager.copy({"Bucket": from_bucket, "Key": from_key}, bucket, key).result()
