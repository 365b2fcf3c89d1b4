"""DELETE /v1/auth/keys/{key_id}"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.identity import errors
from snapforge.identity.service import keys
from snapforge.kit.ids import KeyId


@endpoint("DELETE /v1/auth/keys/{key_id}", permission=Permission.keys_manage, raises=(errors.KeyNotFound,), status=204)
def handler(principal: Principal, key_id: KeyId) -> None:
    """Kill an API key at once."""
    keys.revoke_api_key(principal, key_id)
