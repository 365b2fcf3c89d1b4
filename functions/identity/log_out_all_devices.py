"""POST /v1/auth/logout-all-devices"""

from typing import Annotated

from snapforge.http import Permission, Principal, Reply, endpoint, reply
from snapforge.identity import service


@endpoint("POST /v1/auth/logout-all-devices", permission=Permission.sessions_manage, status=204)
def handler(principal: Principal) -> Annotated[Reply, None]:
    """End every session of the user, this one too. Access tokens die within five seconds; API keys stay."""
    return reply(None, cookies=[service.log_out_all_devices(principal)])
