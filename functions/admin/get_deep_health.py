"""GET /v1/health/deep"""

from typing import Annotated

from snapforge.admin import service
from snapforge.admin.schemas import DeepHealth
from snapforge.http import Response, endpoint, respond


@endpoint("GET /v1/health/deep", public=True, other_statuses=(503,))
def handler() -> Annotated[Response, DeepHealth]:
    """Whether all that the API stands on answers: tables, buckets, queues, mail, workflow, engine.

    503 with the same body when something does not.
    """
    health = service.deep()
    return respond(health, status=200 if health.status == "ok" else 503)
