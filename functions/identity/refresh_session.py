"""POST /v1/auth/refresh"""

from typing import Annotated

from snapforge.http import ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import AccessToken
from snapforge.identity.service import sessions


@endpoint(
    "POST /v1/auth/refresh",
    public=True,
    raises=(errors.SessionOver, errors.RefreshReused, errors.ForeignOrigin),
)
def handler(client: ClientInfo) -> Annotated[Response, AccessToken]:
    """A new access token for the refresh cookie, which is replaced. Needs the header `X-Requested-With: snapforge`."""
    opened = sessions.refresh(client.cookies, client.headers)
    return respond(opened.body, cookies=[opened.cookie])
