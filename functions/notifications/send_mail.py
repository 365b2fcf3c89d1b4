"""Send the mail that an event calls for."""

from snapforge.kit.events import Event
from snapforge.notifications import service
from snapforge.notifications.domain import BY_EVENT
from snapforge.triggers import event


@event(*BY_EVENT, queue="mail")
def handler(happened: Event) -> None:
    """Once, however often the event arrives."""
    service.handle(happened)
