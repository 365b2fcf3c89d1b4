"""POST /v1/auth/verify-email"""

from typing import Annotated

from snapforge.http import Body, Origin, Reply, endpoint, reply
from snapforge.identity import errors, service
from snapforge.identity.schemas import Verified, VerifyEmail


@endpoint("POST /v1/auth/verify-email", public=True, raises=(errors.VerificationOver, errors.RateLimited))
def handler(body: Body[VerifyEmail], origin: Origin) -> Annotated[Reply, Verified]:
    """Confirm an e-mail address with the token from the link in the mail."""
    allowance = service.count_address("verify", origin.address)
    service.verify_email(body)
    return reply(Verified(), headers=allowance.headers())
