"""POST /v1/auth/resend-verification"""

from typing import Annotated

from snapforge.http import Body, ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import CheckYourMail, ResendVerification
from snapforge.identity.service import accounts, limits


@endpoint("POST /v1/auth/resend-verification", public=True, raises=(errors.RateLimited,), status=202)
def handler(body: Body[ResendVerification], client: ClientInfo) -> Annotated[Response, CheckYourMail]:
    """Ask for another verification mail. The answer is the same whether the address has an account."""
    allowance = limits.count_address("resend", client.address)
    accounts.resend_verification(body)
    return respond(CheckYourMail(), status=202, headers=allowance.headers())
