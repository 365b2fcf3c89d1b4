"""The base of wire schemas."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from snapforge.kit import clock


class Schema(BaseModel):
    """What a client sends or gets. Unknown members are refused, so that a misspelt one is an error, not silence."""

    # A function uses few of its context's schemas: each is built at first use, not at the cold start.
    model_config = ConfigDict(extra="forbid", from_attributes=True, str_strip_whitespace=False, defer_build=True)


Timestamp = Annotated[datetime, PlainSerializer(clock.rfc3339, return_type=str, when_used="json")]
"""An aware moment, on the wire as RFC 3339 `Z`."""
