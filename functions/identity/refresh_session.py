"""POST /v1/auth/refresh"""

from typing import Annotated

from snapforge.http import Origin, Reply, endpoint, reply
from snapforge.identity import errors, service
from snapforge.identity.schemas import AccessToken


@endpoint(
    "POST /v1/auth/refresh",
    public=True,
    raises=(errors.SessionOver, errors.RefreshReused, errors.ForeignOrigin),
)
def handler(origin: Origin) -> Annotated[Reply, AccessToken]:
    """A new access token for the refresh cookie, which is replaced. Needs the header `X-Requested-With: snapforge`."""
    opened = service.refresh(origin.cookies, origin.headers)
    return reply(opened.body, cookies=[opened.cookie])
