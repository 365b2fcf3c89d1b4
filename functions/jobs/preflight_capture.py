"""Queue `preflights` (preflight.asked on the bus): look at small copies of a capture's photos, on the CPU."""

import json
from typing import Any

from snapforge.http import observe
from snapforge.jobs import service
from snapforge.kit.events import Event


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Each message once or more; a failed one is delivered again."""
    return observe.each_message(event, _look)


def _look(record: dict[str, Any]) -> None:
    asked = Event.model_validate(json.loads(record["body"])["detail"])
    observe.logger().info("preflight", extra={**asked.data, "outcome": service.preflight(asked)})
