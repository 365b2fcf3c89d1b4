"""Identifiers: `<prefix>_<ULID>`, sortable by time of making; one table of prefixes for the whole house."""

import re
import secrets

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

_SHAPE = re.compile(r"[a-z]{3}_[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new(thing: str) -> str:
    """A fresh id for `thing` (a key of PREFIXES): 30 characters, e.g. `job_01JD…`."""
    return f"{PREFIXES[thing]}_{ULID.from_datetime(clock.now())}"


def pattern(thing: str) -> str:
    """The regular expression an id of `thing` matches, for schemas and OpenAPI."""
    return rf"^{PREFIXES[thing]}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$"


def is_id(value: str, thing: str) -> bool:
    """Whether `value` has the shape of an id of `thing`; says nothing about existence."""
    return value.startswith(PREFIXES[thing] + "_") and _SHAPE.fullmatch(value) is not None


def secret(prefix: str, bytes_: int = 32) -> str:
    """A random URL-safe secret with a readable prefix; stored only as a hash."""
    return prefix + secrets.token_urlsafe(bytes_)
