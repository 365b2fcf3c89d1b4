"""POST /v1/auth/verify-email"""

from typing import Annotated

from snapforge.http import Body, ClientInfo, Response, endpoint, respond
from snapforge.identity import errors, service
from snapforge.identity.schemas import Verified, VerifyEmail


@endpoint("POST /v1/auth/verify-email", public=True, raises=(errors.VerificationOver, errors.RateLimited))
def handler(body: Body[VerifyEmail], client: ClientInfo) -> Annotated[Response, Verified]:
    """Confirm an e-mail address with the token from the link in the mail."""
    allowance = service.count_address("verify", client.address)
    service.verify_email(body)
    return respond(Verified(), headers=allowance.headers())
