"""GET /v1/health"""

from snapforge.admin import service
from snapforge.admin.schemas import Health
from snapforge.http import endpoint


@endpoint("GET /v1/health", public=True)
def handler() -> Health:
    """Whether the API answers."""
    return service.live()
