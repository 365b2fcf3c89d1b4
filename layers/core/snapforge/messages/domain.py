"""What a message is. Plain values; nothing here sends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from snapforge.kit.events import Event
from snapforge.messages.languages import Language

LINK_KEPT = timedelta(days=7)
"""How long the signed links in a message work."""

Signer = Callable[[str], str]
"""Makes a signed link of an asset key, valid for LINK_KEPT."""

Translator = Callable[[str], str]
"""Gives the recipient's words for a text that `msgid` marks."""


class To(StrEnum):
    """Who gets a message, worked out when it is sent."""

    named = "named"
    """Whoever the event names by an address: `email`, with `name` and `locale`."""
    owner = "owner"
    """The owner of the event's org."""
    staff = "staff"
    """Whoever operates this deployment: several people, or nobody."""


class Channel(StrEnum):
    """How it reaches them."""

    mail = "mail"


@dataclass(frozen=True, slots=True)
class Sender:
    """What sends a channel's messages, and what it needs of each."""

    function: str
    """Below `functions/`. Its events are `catalogue.events(channel)`."""
    template: str
    """The file of a message's template below `snapforge/`, with its name for `{}`."""


SENDERS = {Channel.mail: Sender("notifications/send_mail", "notifications/templates/{}.j2")}
"""Every channel that a message may name."""


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What every message may use, for one recipient."""

    public_url: str
    sign: Signer
    language: Language
    translate: Translator


def always(_: Event) -> bool:
    """Of a message that every event of its type calls for."""
    return True


@dataclass(frozen=True, slots=True)
class Message:
    """One declaration: what happened, the template that tells it, to whom, how, and what fills the template."""

    event: str
    template: str
    """A name; where it lies, says the channel's sender."""
    to: tuple[To, ...]
    channels: tuple[Channel, ...]
    values: Callable[[Event, MessageContext], dict[str, Any]]
    when: Callable[[Event], bool] = always
    """Whether this event of the type calls for it."""
