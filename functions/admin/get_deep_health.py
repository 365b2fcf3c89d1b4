"""GET /v1/health/deep"""

from typing import Annotated

from snapforge.admin import service
from snapforge.admin.schemas import DeepHealth
from snapforge.http import Reply, endpoint, reply


@endpoint("GET /v1/health/deep", public=True, also=(503,))
def handler() -> Annotated[Reply, DeepHealth]:
    """Whether all that the API stands on answers: tables, buckets, queues, mail, workflow, engine.

    503 with the same body when something does not.
    """
    health = service.deep()
    return reply(health, status=200 if health.status == "ok" else 503)
