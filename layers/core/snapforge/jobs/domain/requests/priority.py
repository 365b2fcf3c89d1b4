"""How urgent an order is, for every kind of order."""

from typing import Annotated, Literal

from pydantic import Field

Priority = Literal["rush", "standard", "bulk"]
Urgency = Annotated[
    Priority,
    Field(
        description="`rush` goes first and costs twice the list price; `bulk` takes what is idle, at the list price."
    ),
]
"""The order's member `priority`."""
