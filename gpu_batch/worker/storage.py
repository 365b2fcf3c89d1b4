"""S3 as the worker needs it: whole objects by `s3://` address, checked on the way in and described on the way out."""

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from worker.errors import BugError, TransientError
from worker.tools import backoff

_logger = logging.getLogger(__name__)
_TRANSFER = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=4)
_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_REFUSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidBucketName"}
_DOWNLOAD_TRIES = 3


class Missing(Exception):
    """There is no object at the address."""


@dataclass(frozen=True)
class StoredObject:
    """One object of a listing. `etag` without its quotes; `bytes` its size."""

    uri: str
    etag: str
    bytes: int


def client(service: str, **config: Any) -> Any:
    """A boto3 client with the worker's patience; `config` overrides botocore settings."""
    settings: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": 6},
        "connect_timeout": 5,
        "read_timeout": 60,
        "s3": {"addressing_style": "auto"},
    }
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return boto3.client(service, region_name=region, config=Config(**(settings | config)))


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as (bucket, key). Raises BugError for anything else."""
    parts = urlsplit(uri, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise BugError("bad_address", f"{uri!r} is no s3:// address.")
    key = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    return parts.netloc, key


def explain(error: Exception, uri: str) -> Exception:
    """What a boto failure at `uri` means: Missing, BugError (refused: a policy of ours is wrong) or TransientError."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            return Missing(uri)
        if code in _REFUSED:
            return BugError("storage_refused", f"{code} at {uri}")
    return TransientError("storage_unavailable", f"{uri}: {error}")


class Storage:
    """Reads and writes S3 objects. Thread-safe. Methods raise Missing, TransientError or BugError (see `explain`)."""

    def __init__(self) -> None:
        self._s3 = client("s3")

    def read(self, uri: str) -> bytes:
        """The whole object, for small ones."""
        bucket, key = split(uri)
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise explain(error, uri) from error
        return body

    def write(self, uri: str, body: bytes, media_type: str) -> None:
        """Put a small object, replacing what was there."""
        bucket, key = split(uri)
        try:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type)
        except (BotoCoreError, ClientError) as error:
            raise explain(error, uri) from error

    def write_first(self, uri: str, body: bytes, media_type: str) -> bool:
        """Put a small object only where there is none. False where somebody was first (or our own lost answer was)."""
        bucket, key = split(uri)
        for wait in backoff(0.1, 2.0):
            try:
                self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=media_type, IfNoneMatch="*")
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code in ("PreconditionFailed", "412"):
                    return False
                # 409: another conditional put is under way; S3 asks to try again.
                if code not in ("ConditionalRequestConflict", "409"):
                    raise explain(error, uri) from error
                time.sleep(wait)
                continue
            except BotoCoreError as error:
                raise explain(error, uri) from error
            return True
        raise AssertionError

    def exists(self, uri: str) -> bool:
        """Whether there is an object at the address."""
        bucket, key = split(uri)
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            meaning = explain(error, uri)
            if isinstance(meaning, Missing):
                return False
            raise meaning from error
        return True

    def download(self, uri: str, to: Path) -> None:
        """Bring an object to the file `to`, checked by size and S3's checksum; a torn transfer is tried again."""
        bucket, key = split(uri)
        waits = backoff(0.5, 4.0)
        for left in reversed(range(_DOWNLOAD_TRIES)):
            try:
                size = self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
                self._s3.download_file(bucket, key, str(to), Config=_TRANSFER)
            except (BotoCoreError, ClientError, Boto3Error) as error:
                meaning = explain(error, uri)
                if not left or not isinstance(meaning, TransientError):
                    raise meaning from error
            else:
                if to.stat().st_size == size:
                    return
                if not left:
                    raise TransientError("torn_download", f"{uri}: {to.stat().st_size} of {size} bytes arrived.")
            _logger.warning("download is tried again", extra={"uri": uri})
            time.sleep(next(waits))

    def upload(self, path: Path, uri: str, media_type: str, sha256: str) -> None:
        """Put a file (in parts where big), with its content type and its digest as metadata."""
        bucket, key = split(uri)
        extra = {"ContentType": media_type, "Metadata": {"sha256": sha256}}
        try:
            self._s3.upload_file(str(path), bucket, key, ExtraArgs=extra, Config=_TRANSFER)
        except (BotoCoreError, ClientError) as error:
            raise explain(error, uri) from error
        except Boto3Error as error:  # S3UploadFailedError hides the cause, by which a refusal differs from an outage
            cause = error.__context__
            raise explain(cause if isinstance(cause, Exception) else error, uri) from error

    def delete(self, uri: str) -> None:
        """Remove an object; none there is fine."""
        bucket, key = split(uri)
        try:
            self._s3.delete_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise explain(error, uri) from error

    def find(self, prefix_uri: str) -> Iterator[StoredObject]:
        """All objects under a prefix."""
        bucket, prefix = split(prefix_uri)
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield StoredObject(f"s3://{bucket}/{item['Key']}", item["ETag"].strip('"'), item["Size"])
        except (BotoCoreError, ClientError) as error:
            raise explain(error, prefix_uri) from error
