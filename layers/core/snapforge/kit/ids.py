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


_EXAMPLE = "01JD4Z9K3M7Q8R5T2V6W0X1Y2Z"

UserId = Annotated[str, Field(pattern=pattern("user"), examples=[f"usr_{_EXAMPLE}"])]
OrgId = Annotated[str, Field(pattern=pattern("org"), examples=[f"org_{_EXAMPLE}"])]
KeyId = Annotated[str, Field(pattern=pattern("api_key"), examples=[f"key_{_EXAMPLE}"])]
UploadId = Annotated[str, Field(pattern=pattern("upload"), examples=[f"upl_{_EXAMPLE}"])]
AssetId = Annotated[str, Field(pattern=pattern("asset"), examples=[f"ast_{_EXAMPLE}"])]
CaptureId = Annotated[str, Field(pattern=pattern("capture"), examples=[f"cap_{_EXAMPLE}"])]
JobId = Annotated[str, Field(pattern=pattern("job"), examples=[f"job_{_EXAMPLE}"])]
PreviewId = Annotated[str, Field(pattern=pattern("preview"), examples=[f"prv_{_EXAMPLE}"])]
LoraId = Annotated[str, Field(pattern=pattern("lora"), examples=[f"lra_{_EXAMPLE}"])]


def secret(prefix: str, bytes_: int = 32) -> str:
    """A random URL-safe secret with a readable prefix; stored only as a hash."""
    return prefix + secrets.token_urlsafe(bytes_)
