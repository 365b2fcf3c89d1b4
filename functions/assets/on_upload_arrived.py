"""Queue `uploaded` (S3 Object Created of the uploads bucket): check a file that has arrived."""

import json
from typing import Any

from snapforge.assets import service
from snapforge.http import observe


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Each message once or more; a failed one is delivered again."""
    return observe.each_message(event, _check)


def _check(record: dict[str, Any]) -> None:
    arrival = service.read_event(json.loads(record["body"]))
    state = service.check_arrival(arrival)
    observe.logger().info("arrived", extra={"key": arrival.key, "state": state})
