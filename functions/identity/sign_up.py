"""POST /v1/auth/signup"""

from typing import Annotated

from snapforge.http import Body, ClientInfo, Response, endpoint, respond
from snapforge.identity import errors
from snapforge.identity.schemas import CheckYourMail, SignUp
from snapforge.identity.service import accounts, limits


@endpoint("POST /v1/auth/signup", public=True, raises=(errors.WeakPassword, errors.RateLimited), status=202)
def handler(body: Body[SignUp], client: ClientInfo) -> Annotated[Response, CheckYourMail]:
    """Open an account with a personal org. The answer is the same whether the address has one already."""
    allowance = limits.count_address("signup", client.address)
    accounts.sign_up(body)
    return respond(CheckYourMail(), status=202, headers=allowance.headers())
