"""POST /v1/auth/logout"""

from typing import Annotated

from snapforge.http import Origin, Reply, endpoint, reply
from snapforge.identity import errors, service


@endpoint("POST /v1/auth/logout", public=True, raises=(errors.ForeignOrigin,), status=204)
def handler(origin: Origin) -> Annotated[Reply, None]:
    """End the session of the refresh cookie. Needs the header `X-Requested-With: snapforge`."""
    return reply(None, cookies=[service.log_out(origin.cookies, origin.headers)])
