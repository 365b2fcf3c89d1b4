"""What a message is. Plain values; nothing here sends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from snapforge.kit.events import Event

LINK_KEPT = timedelta(days=7)
"""How long the signed links in a message work."""

Signer = Callable[[str], str]
"""Makes a signed link of an asset key, valid for LINK_KEPT."""


class To(StrEnum):
    """Who gets a message, worked out when it is sent."""

    named = "named"
    """Whoever the event names by an address: `email`, with `name` and `locale`."""
    owner = "owner"
    """The owner of the event's org."""


class Channel(StrEnum):
    """How it reaches them."""

    mail = "mail"


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What every message may use."""

    public_url: str
    sign: Signer


@dataclass(frozen=True, slots=True)
class Message:
    """One declaration: what happened, the template that tells it, to whom, how, and what fills the template."""

    event: str
    template: str
    """A folder of `notifications/templates`."""
    to: tuple[To, ...]
    channels: tuple[Channel, ...]
    values: Callable[[Event, MessageContext], dict[str, Any]]
