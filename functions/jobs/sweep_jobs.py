"""Each minute: publish late news, and hold unfinished jobs against the engine's truth."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Answers how many jobs were looked at."""
    return {"looked": service.sweep()}
