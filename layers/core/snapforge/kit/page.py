"""Pages of lists: `{items, next_cursor}`.

The cursor carries the sort key only; the partition is always rebuilt from the principal, so that a cursor cannot reach
into another org.
"""

import base64
import binascii
from typing import Generic, TypeVar

from pydantic import Field

from snapforge.kit.errors import BadRequest
from snapforge.kit.schema import Schema

T = TypeVar("T")
_LONGEST = 512
"""Of a cursor; DynamoDB refuses sort keys above 1,024 bytes."""


class InvalidCursor(BadRequest):
    code = "invalid_cursor"
    title = "The cursor is not one of ours"
    fix = "Start again without `cursor`, or send `next_cursor` of the last page unchanged."


class Page(Schema, Generic[T]):
    """One page of a list; `next_cursor` is absent on the last."""

    items: list[T]
    next_cursor: str | None = None


class PageQuery(Schema):
    """Which page of a list."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, description="`next_cursor` of the last page.")


def encode_cursor(sort_key: str) -> str:
    """The opaque form of a sort key."""
    return base64.urlsafe_b64encode(sort_key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, prefix: str = "") -> str:
    """The sort key in `cursor`; raises InvalidCursor when it is malformed or lacks `prefix`."""
    if len(cursor) > _LONGEST:
        raise InvalidCursor()
    try:
        sort_key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor() from error
    if not sort_key.startswith(prefix) or not sort_key.isprintable():
        raise InvalidCursor()
    return sort_key
