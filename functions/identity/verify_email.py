"""POST /v1/auth/verify-email"""

from typing import Annotated

from snapforge.http import Body, ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import Verified, VerifyEmail
from snapforge.identity.service import accounts, limits


@endpoint("POST /v1/auth/verify-email", public=True, raises=(errors.VerificationOver, errors.RateLimited))
def handler(body: Body[VerifyEmail], client: ClientInfo) -> Annotated[Response, Verified]:
    """Confirm an e-mail address with the token from the link in the mail."""
    allowance = limits.count_address("verify", client.address)
    accounts.verify_email(body)
    return respond(Verified(), headers=allowance.headers())
