"""GET /v1/billing/balance"""

from snapforge.billing.schemas import BalanceView
from snapforge.billing.service import statements
from snapforge.http import Permission, Principal, endpoint


@endpoint("GET /v1/billing/balance", permission=Permission.billing_read)
def handler(principal: Principal) -> BalanceView:
    """The credits that can be spent, that work in progress holds, and that are owed."""
    return statements.read_balance(principal)
