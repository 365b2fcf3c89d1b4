"""GET /v1/auth/keys"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.identity.schemas import ApiKey
from snapforge.identity.service import keys
from snapforge.kit.page import Page


@endpoint("GET /v1/auth/keys", permission=Permission.keys_manage)
def handler(principal: Principal) -> Page[ApiKey]:
    """The org's API keys that are not revoked, oldest first, without their secrets; always one page."""
    return Page[ApiKey](items=keys.list_api_keys(principal))
