"""What billing refuses. Problems reach customers; plain exceptions are for callers, or bugs that page somebody."""

from snapforge.billing.domain import Journal, Settled
from snapforge.kit.errors import Conflict, NotFound, Problem

TOP_UP = "/billing"


class InsufficientCredits(Problem):
    """Extra members: `required`, `available`, `shortfall` (credits) and `top_up` (path)."""

    status = 402
    code = "insufficient_credits"
    title = "Not enough credits"
    fix = f"Buy credits at {TOP_UP} and send the request again."

    @classmethod
    def of(cls, required: int, available: int) -> "InsufficientCredits":
        """The problem for `required` credits where `available` can be spent."""
        return cls(
            f"This needs {required} credits; {available} are available.",
            required=required,
            available=available,
            shortfall=required - available,
            top_up=TOP_UP,
        )


class AccountInDebt(Problem):
    """Extra members: `debt` (credits) and `top_up` (path)."""

    status = 402
    code = "account_in_debt"
    title = "The account is in debt"
    fix = f"Buy credits at {TOP_UP}: they pay the debt first."

    @classmethod
    def of(cls, debt: int) -> "AccountInDebt":
        """The problem for a debt of so many credits."""
        return cls(
            f"The account owes {debt} credits; no new work starts until they are paid.", debt=debt, top_up=TOP_UP
        )


class HoldNotFound(NotFound):
    code = "hold_not_found"
    title = "No such hold"


class HoldEnded(Conflict):
    """The hold ended before, as `settled` tells: to the caller the work is done."""

    code = "hold_ended"
    title = "The hold has ended"

    def __init__(self, settled: Settled) -> None:
        super().__init__(f"{settled.captured} credits were captured, {settled.released} released.")
        self.settled = settled


class AccountNotFound(NotFound):
    code = "account_not_found"
    title = "No such account"


class AlreadyPosted(Exception):
    """The key's journal stands, for the same request: `journal` is it. Nothing was written now."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(f"journal {journal.key} was posted before")
        self.journal = journal


class KeyReused(Exception):
    """A ledger key was used for another request: a bug in the caller, never to be answered by a silent no-op."""


class HoldExists(Exception):
    """A hold with this id exists under another key: a bug in the caller."""


HOLDING = (InsufficientCredits, AccountInDebt)
"""Of reserving credits for work."""
