"""Who gets mail. Plain values."""

from dataclasses import dataclass
from datetime import timedelta

CLAIM_KEPT = timedelta(minutes=2)
"""After this a sender that claimed a mail and did not finish is taken for dead."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who gets a mail."""

    email: str
    name: str
    locale: str = "en"
