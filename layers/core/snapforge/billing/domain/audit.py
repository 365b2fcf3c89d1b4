"""Every invariant of the ledger, checked on what is stored. Pure: `service.audits` does the reading."""

from collections import Counter
from collections.abc import Iterable, Iterator

from snapforge.billing import domain
from snapforge.billing.domain import Account, Hold, HoldState, Journal, JournalKind


def faults(account: Account, holds: Iterable[Hold], journals: Iterable[Journal]) -> list[str]:
    """What contradicts what, in sentences; empty when the ledger is exact.

    Account, Hold and Journal check themselves when they are read (sums, signs, allocations); here they are held
    against each other.
    """
    kept = {hold.id: hold for hold in holds}
    ordered = sorted(journals, key=lambda journal: journal.seq)
    return [
        *_gaps(account, ordered),
        *_folds(account, ordered),
        *_open_holds(account, kept.values()),
        *_hold_journals(kept, ordered),
        *_spend(account),
    ]


def _gaps(account: Account, ordered: list[Journal]) -> Iterator[str]:
    numbers = [journal.seq for journal in ordered]
    if numbers != list(range(1, account.version + 1)):
        yield f"journals are numbered {numbers}, the account counts {account.version}"
    for what, values in (("key", [j.key for j in ordered]), ("id", [j.id for j in ordered])):
        twice = [value for value, count in Counter(values).items() if count > 1]
        yield from (f"more than one journal has the {what} {value}" for value in twice)
    for journal in ordered:
        accounts = {leg.account for leg in journal.legs}
        strangers = {name for name in accounts if not name.startswith(("house:", f"org:{account.org_id}:"))}
        if journal.org_id != account.org_id or strangers:
            yield f"journal {journal.key} reaches beyond {account.org_id}: {sorted(strangers)}"


def _folds(account: Account, ordered: list[Journal]) -> Iterator[str]:
    """The balances are the folds of the journals, and no prefix of them goes below zero."""
    org_id = account.org_id
    names = ((domain.available(org_id), 1, account.available), (domain.held(org_id), 1, account.held))
    for name, sign, stored in (*names, (domain.debt(org_id), -1, account.debt)):
        total = 0
        for journal in ordered:
            total += sign * journal.change(name)
            if total < 0:
                yield f"{name} is below zero after journal {journal.key}"
        if total != stored:
            yield f"{name}: the journals come to {total}, the account says {stored}"


def _open_holds(account: Account, holds: Iterable[Hold]) -> Iterator[str]:
    reserved = sum(hold.amount for hold in holds if hold.state is HoldState.open)
    if reserved != account.held:
        yield f"open holds come to {reserved}, the account holds {account.held}"


def _hold_journals(kept: dict[str, Hold], ordered: list[Journal]) -> Iterator[str]:
    """A hold has one journal when it begins and one when it ends, of its amount; free holds have none."""
    began = Counter(journal.hold_id for journal in ordered if journal.kind is JournalKind.hold)
    ended = Counter(journal.hold_id for journal in ordered if journal.kind is JournalKind.settle)
    for hold_id in (began.keys() | ended.keys()) - kept.keys():
        yield f"journals name the hold {hold_id}, which is not there"
    for hold in kept.values():
        paid = int(hold.amount > 0)
        expected = (paid, paid * (hold.state is not HoldState.open))
        if (began[hold.id], ended[hold.id]) != expected:
            yield f"hold {hold.id} ({hold.state}) has {began[hold.id]} begins and {ended[hold.id]} ends"
    for journal in ordered:
        if (named := kept.get(journal.hold_id or "")) is not None:
            yield from _amounts(named, journal)


def _amounts(hold: Hold, journal: Journal) -> Iterator[str]:
    begins = journal.kind is JournalKind.hold
    if journal.change(domain.held(hold.org_id)) != (hold.amount if begins else -hold.amount):
        yield f"journal {journal.key} moves another amount than hold {hold.id}"
    if not begins and journal.change(domain.REVENUE) != hold.captured:
        yield f"journal {journal.key} earns another amount than hold {hold.id} captured"


def _spend(account: Account) -> Iterator[str]:
    ids = Counter(grant.id for grant in account.grants)
    yield from (f"grant {grant_id} stands {count} times" for grant_id, count in ids.items() if count > 1)
    if list(account.grants) != sorted(account.grants, key=domain.spending_order):
        yield "the grants are not in the order of spending"
