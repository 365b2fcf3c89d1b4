"""POST /v1/auth/login"""

from typing import Annotated

from snapforge.http import Body, ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import AccessToken, LogIn
from snapforge.identity.service import limits, sessions


@endpoint("POST /v1/auth/login", public=True, raises=(errors.WrongCredentials, errors.RateLimited))
def handler(body: Body[LogIn], client: ClientInfo) -> Annotated[Response, AccessToken]:
    """Open a session: an access token for ten minutes, and a refresh token in an HttpOnly cookie."""
    allowance = limits.count_address("login", client.address)
    opened = sessions.log_in(body, address=client.address, user_agent=client.user_agent)
    return respond(opened.body, cookies=[opened.cookie], headers=allowance.headers())
