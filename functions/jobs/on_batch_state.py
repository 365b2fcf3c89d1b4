"""Queue `batch-states` (Batch Job State Change, a minute late): workers that died without a word."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Each message once or more; a failed one is delivered again."""
    return observe.each_message(event, lambda record: service.take_batch_state(record["body"]))
