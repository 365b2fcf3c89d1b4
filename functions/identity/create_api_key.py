"""POST /v1/auth/keys"""

from typing import Annotated

from snapforge.http import Body, Permission, Principal, Reply, endpoint, reply
from snapforge.identity import errors, service
from snapforge.identity.schemas import ApiKeyCreate, ApiKeyCreated


@endpoint("POST /v1/auth/keys", permission=Permission.keys_manage, raises=(errors.TooManyKeys,), status=201)
def handler(principal: Principal, body: Body[ApiKeyCreate]) -> Annotated[Reply, ApiKeyCreated]:
    """Make an API key for the org. This answer is the only place where the key itself stands."""
    return reply(service.create_api_key(principal, body), status=201)
