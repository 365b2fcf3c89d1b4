"""What an org's members and keys may see of its credits."""

from snapforge.billing.schemas import BalanceView, JournalQuery, JournalView
from snapforge.billing.service import ledger
from snapforge.kit.page import Page
from snapforge.kit.permissions import Principal


def read_balance(principal: Principal) -> BalanceView:
    """What the org has now."""
    return ledger.balance(principal.org_id)


def list_journals(principal: Principal, query: JournalQuery) -> Page[JournalView]:
    """The org's journals, newest first. InvalidCursor."""
    return ledger.journals(principal.org_id, query.cursor, query.limit)
