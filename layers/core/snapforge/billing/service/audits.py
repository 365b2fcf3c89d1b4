"""An org's ledger held against every invariant."""

from snapforge.aws.tables import Stale, retried
from snapforge.billing import store
from snapforge.billing.domain import Account, BrokenLedger
from snapforge.billing.domain import audit as rules


def audit(org_id: str) -> list[str]:
    """Every fault of the org's stored ledger; empty when it is exact. Reads all its holds and journals."""

    def read() -> list[str]:
        before = store.account(org_id)
        holds, entries = list(store.holds(org_id)), list(store.journals(org_id))
        after = store.account(org_id)
        if before != after:
            raise Stale
        return rules.faults(after or Account(org_id), holds, entries)

    try:
        return retried(read)
    except BrokenLedger as error:
        return [str(error)]
