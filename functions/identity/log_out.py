"""POST /v1/auth/logout"""

from typing import Annotated

from snapforge.http import ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.service import sessions


@endpoint("POST /v1/auth/logout", public=True, raises=(errors.ForeignOrigin,), status=204)
def handler(client: ClientInfo) -> Annotated[Response, None]:
    """End the session of the refresh cookie. Needs the header `X-Requested-With: snapforge`."""
    return respond(None, cookies=[sessions.log_out(client.cookies, client.headers)])
