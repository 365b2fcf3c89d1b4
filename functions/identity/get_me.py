"""GET /v1/auth/me"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.identity.schemas import Me
from snapforge.identity.service import accounts


@endpoint("GET /v1/auth/me", permission=Permission.profile_read)
def handler(principal: Principal) -> Me:
    """Who asks, for which org, and what they may do."""
    return accounts.me(principal)
