"""POST /v1/auth/keys"""

from typing import Annotated

from snapforge.http import Body, Permission, Principal, Response, endpoint, respond
from snapforge.identity import errors, service
from snapforge.identity.schemas import ApiKeyCreate, ApiKeyCreated


@endpoint("POST /v1/auth/keys", permission=Permission.keys_manage, raises=(errors.TooManyKeys,), status=201)
def handler(principal: Principal, body: Body[ApiKeyCreate]) -> Annotated[Response, ApiKeyCreated]:
    """Make an API key for the org. This answer is the only place where the key itself stands."""
    return respond(service.create_api_key(principal, body), status=201)
