"""POST /v1/auth/login"""

from typing import Annotated

from snapforge.http import Body, Origin, Reply, endpoint, reply
from snapforge.identity import errors, service
from snapforge.identity.schemas import AccessToken, LogIn


@endpoint("POST /v1/auth/login", public=True, raises=(errors.WrongCredentials, errors.RateLimited))
def handler(body: Body[LogIn], origin: Origin) -> Annotated[Reply, AccessToken]:
    """Open a session: an access token for ten minutes, and a refresh token in an HttpOnly cookie."""
    allowance = service.count_address("login", origin.address)
    opened = service.log_in(body, address=origin.address, user_agent=origin.user_agent)
    return reply(opened.body, cookies=[opened.cookie], headers=allowance.headers())
