"""POST /v1/auth/keys"""

from typing import Annotated

from snapforge.http import Body, Permission, Principal, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import ApiKeyCreate, ApiKeyCreated
from snapforge.identity.service import keys


@endpoint("POST /v1/auth/keys", permission=Permission.keys_manage, raises=(errors.TooManyKeys,), status=201)
def handler(principal: Principal, body: Body[ApiKeyCreate]) -> Annotated[Response, ApiKeyCreated]:
    """Make an API key for the org. This answer is the only place where the key itself stands."""
    return respond(keys.create_api_key(principal, body), status=201)
