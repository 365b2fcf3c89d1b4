"""Identifiers: `<prefix>_<ULID>`, sortable by time of making; one table of prefixes for the whole house."""

import secrets
from typing import Annotated

from pydantic import Field
from ulid import ULID

from snapforge.kit import clock

PREFIXES = {
    "user": "usr",
    "org": "org",
    "session": "ses",
    "api_key": "key",
    "upload": "upl",
    "asset": "ast",
    "capture": "cap",
    "job": "job",
    "preview": "prv",
    "hold": "hld",
    "grant": "grt",
    "journal": "jrn",
    "event": "evt",
    "lora": "lra",
}


def new(thing: str) -> str:
    """A fresh id for `thing` (a key of PREFIXES): 30 characters, e.g. `job_01JD…`."""
    return f"{PREFIXES[thing]}_{ULID.from_datetime(clock.now())}"


def pattern(thing: str) -> str:
    """The regular expression an id of `thing` matches, for schemas and OpenAPI."""
    return rf"^{PREFIXES[thing]}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$"


def example(thing: str) -> str:
    """An id of `thing` for examples in schemas: everywhere the same, so that what examples name fits together."""
    return f"{PREFIXES[thing]}_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z"


UserId = Annotated[str, Field(pattern=pattern("user"), examples=[example("user")])]
OrgId = Annotated[str, Field(pattern=pattern("org"), examples=[example("org")])]
KeyId = Annotated[str, Field(pattern=pattern("api_key"), examples=[example("api_key")])]
UploadId = Annotated[str, Field(pattern=pattern("upload"), examples=[example("upload")])]
AssetId = Annotated[str, Field(pattern=pattern("asset"), examples=[example("asset")])]
CaptureId = Annotated[str, Field(pattern=pattern("capture"), examples=[example("capture")])]
JobId = Annotated[str, Field(pattern=pattern("job"), examples=[example("job")])]
PreviewId = Annotated[str, Field(pattern=pattern("preview"), examples=[example("preview")])]
LoraId = Annotated[str, Field(pattern=pattern("lora"), examples=[example("lora")])]


def secret(prefix: str, bytes_: int = 32) -> str:
    """A random URL-safe secret with a readable prefix; stored only as a hash."""
    return prefix + secrets.token_urlsafe(bytes_)
