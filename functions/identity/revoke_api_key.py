"""DELETE /v1/auth/keys/{key_id}"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.identity import errors, service


@endpoint("DELETE /v1/auth/keys/{key_id}", permission=Permission.keys_manage, raises=(errors.KeyNotFound,), status=204)
def handler(principal: Principal, key_id: str) -> None:
    """Kill an API key at once."""
    service.revoke_api_key(principal, key_id)
