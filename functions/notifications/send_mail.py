"""Send the mails that an event calls for."""

from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import Channel
from snapforge.notifications import service
from snapforge.triggers import event


@event(*catalogue.events(Channel.mail), queue="mail")
def handler(happened: Event) -> None:
    """Once each, however often the event arrives."""
    service.handle(happened)
