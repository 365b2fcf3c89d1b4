"""Stream of the table `jobs`: start workflows, stop what was ended, publish the rest."""

from typing import Any

from snapforge.http import observe
from snapforge.jobs import service


@observe.consumer
def handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """The stream's INSERTs of outbox rows; the first that fails is where the stream goes on."""
    return service.publish_outbox(event["Records"])
