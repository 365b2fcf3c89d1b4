"""GET /v1/auth/me"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.identity import service
from snapforge.identity.schemas import Me


@endpoint("GET /v1/auth/me", permission=Permission.profile_read)
def handler(principal: Principal) -> Me:
    """Who asks, for which org, and what they may do."""
    return service.me(principal)
