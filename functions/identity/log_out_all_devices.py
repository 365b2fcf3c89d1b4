"""POST /v1/auth/logout-all-devices"""

from typing import Annotated

from snapforge.http import Permission, Principal, Response, endpoint, respond
from snapforge.identity.service import sessions


@endpoint("POST /v1/auth/logout-all-devices", permission=Permission.sessions_manage, status=204)
def handler(principal: Principal) -> Annotated[Response, None]:
    """End every session of the user, this one too. Access tokens die within five seconds; API keys stay."""
    return respond(None, cookies=[sessions.log_out_all_devices(principal)])
