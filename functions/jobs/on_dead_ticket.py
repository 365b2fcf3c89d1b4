"""Queue `images-dead`: tickets that no worker has done with in five tries."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Each message once or more; what is no ticket ends in the context's failure queue."""
    return observe.each_message(event, lambda record: service.take_dead_ticket(record["body"]))
