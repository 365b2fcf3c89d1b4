"""Queue `variants` (asset.created on the bus): make the forms in which pictures are delivered."""

import json
from typing import Any

from snapforge.assets import service
from snapforge.http import observe
from snapforge.kit.events import Event


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Each message once or more; a failed one is delivered again."""
    return observe.each_message(event, _make)


def _make(record: dict[str, Any]) -> None:
    service.make_variants(Event.model_validate(json.loads(record["body"])["detail"]))
