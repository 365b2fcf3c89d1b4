"""Each minute, and when a warm worker has ended: start the workers that are missing for what waits."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Takes a schedule's event or a Batch Job State Change; answers how many workers were started."""
    return {"started": service.keep_workers(after_end=event.get("source") == "aws.batch")}
