"""Each minute: book what has expired."""

from snapforge.billing.service import ledger
from snapforge.kit import clock
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many grants expired."""
    return {"expired": ledger.expire_due(clock.now())}
