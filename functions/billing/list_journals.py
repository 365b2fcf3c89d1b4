"""GET /v1/billing/journals"""

from snapforge.billing.schemas import JournalQuery, JournalView
from snapforge.billing.service import statements
from snapforge.http import Permission, Principal, Query, endpoint
from snapforge.kit.page import InvalidCursor, Page


@endpoint("GET /v1/billing/journals", permission=Permission.billing_read, raises=(InvalidCursor,))
def handler(principal: Principal, query: Query[JournalQuery]) -> Page[JournalView]:
    """The statement of credits: every movement, newest first."""
    return statements.list_journals(principal, query)
