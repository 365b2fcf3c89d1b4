"""The event bus of the house."""

from snapforge.aws import settings
from snapforge.aws.clients import client
from snapforge.kit import clock
from snapforge.kit.events import Event

SOURCE = "snapforge"


class BusRefusedError(RuntimeError):
    """EventBridge did not take the event; the outbox tries again."""


def publish(event: Event) -> None:
    """Put one event on the bus: `detail-type` is its type, `detail` the whole event."""
    answer = client("events").put_events(
        Entries=[
            {
                "EventBusName": settings.get("EVENT_BUS"),
                "Source": SOURCE,
                "DetailType": event.type,
                "Detail": event.model_dump_json(),
                "Time": clock.parse(clock.rfc3339(event.at)),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise BusRefusedError(str(answer["Entries"][0]))
