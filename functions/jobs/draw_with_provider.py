"""Queue `providers`: pictures that others draw for us."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Each message once or more; one that AWS itself failed is delivered again."""
    return observe.each_message(
        event,
        lambda record: service.draw_ticket(
            record["body"],
            message_id=record["messageId"],
            seconds=context.get_remaining_time_in_millis() / 1000,
        ),
    )
