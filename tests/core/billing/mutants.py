"""Wrong rules: each a replacement in the source of the domain, and the loading of it in memory."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType

from snapforge.billing import domain

FOLDER = Path(domain.__file__).parent
_serial = count()


@dataclass(frozen=True)
class Mutant:
    """In `file` of the domain, `right` (found once) becomes `wrong`."""

    file: str
    right: str
    wrong: str


QUICK = {
    "an expired grant is still spent at its last moment": Mutant(
        "values", "self.expires_at <= now", "self.expires_at < now"
    ),
    "a top-up does not pay the debt": Mutant(
        "operations", "_taken(grants, account.debt, now)", "_taken(grants, 0, now)"
    ),
    "a hold ends twice": Mutant("operations", "if open_hold.state is not HoldState.open:", "if False:"),
    "the fingerprint is of what was booked, not of what was asked": Mutant(
        "operations", "fingerprint(about, asked)", "fingerprint(about, _netted([*asked, *also]))"
    ),
}

MORE = {
    "a debt blocks nothing": Mutant("operations", "if account.debt:", "if False:"),
    "a hold takes more than there is": Mutant("operations", "_total(taken) < credits:", "_total(taken) < credits - 1:"),
    "a hold cannot take the last credit": Mutant("operations", "_total(taken) < credits:", "_total(taken) <= credits:"),
    "the shortfall is told from the stored balance": Mutant(
        "operations", "NotEnough(credits, account.spendable(draft.at))", "NotEnough(credits, account.available)"
    ),
    "a hold remembers what was left as what was taken": Mutant("operations", "allocations=taken", "allocations=left"),
    "free work moves an empty journal": Mutant(
        "operations", "    if not credits:\n        return HoldChange(made, None)\n", ""
    ),
    "the captured part returns, the rest is kept": Mutant("operations", "_, returned = _split", "returned, _ = _split"),
    "what returns to an expired grant lives on": Mutant(
        "operations", "alive = tuple(part for part in returned if not part.expired(draft.at))", "alive = returned"
    ),
    "an expired return is lost without legs": Mutant("operations", "Leg(EXPIRED, lost), *pays", "*pays"),
    "returned credits leave the debt": Mutant(
        "operations",
        "grants, pays = _debt_paid(account, _with(account.grants, alive), draft.at)",
        "grants, pays = _with(account.grants, alive), list[Leg]()",
    ),
    "one credit more than held can be captured": Mutant(
        "operations", "whole(capture, 0) > open_hold.amount", "whole(capture, 0) > open_hold.amount + 1"
    ),
    "a released hold is called captured": Mutant(
        "operations", "HoldState.captured if capture else HoldState.released", "HoldState.captured"
    ),
    "revenue is the whole hold": Mutant("operations", "Leg(REVENUE, capture)", "Leg(REVENUE, open_hold.amount)"),
    "expiry before its time": Mutant("operations", "if not gone.expired(draft.at):", "if False:"),
    "expiry takes the other grants": Mutant("operations", "if grant.id != gone.id", "if grant.id == gone.id"),
    "expiry touches holds": Mutant(
        "operations",
        "asked = [Leg(available(account.org_id), -gone.remaining)",
        "asked = [Leg(held(account.org_id), -gone.remaining)",
    ),
    "a clawback ignores its own grant": Mutant("operations", "draft.at, first=grant_id)", "draft.at)"),
    "a clawback forgets what was spent": Mutant("operations", "lacking = credits - _total(taken)", "lacking = 0"),
    "a clawback takes expired credits": Mutant(
        "operations",
        "taken, left = _taken(account.grants, credits, draft.at, first",
        "taken, left = _taken(account.grants, credits, datetime.min.replace(tzinfo=draft.at.tzinfo), first",
    ),
    "more is forgiven than owed": Mutant("operations", "whole(credits, 1) > account.debt", "whole(credits, 1) < 0"),
    "a grant that has expired is given": Mutant("operations", "if given.expired(draft.at):", "if False:"),
    "credits may be fractions": Mutant("operations", "type(number) is not int", "not isinstance(number, (int, float))"),
    "True is a credit": Mutant("operations", "type(number) is not int", "not isinstance(number, int)"),
    "nothing can be granted": Mutant(
        "operations", "credits_ = whole(given.remaining, 1)", "credits_ = whole(given.remaining, 0)"
    ),
    "the fingerprint forgets the hold": Mutant("operations", "told = [about, ", "told = ["),
    "the fingerprint forgets the amounts": Mutant("operations", "(leg.account, leg.amount) for", "(leg.account,) for"),
    "the debt grows the wrong way": Mutant("operations", "debt=account.debt - journal", "debt=account.debt + journal"),
    "journals are not counted": Mutant("operations", "seq=account.version + 1", "seq=account.version"),
    "legs of zero are booked": Mutant("operations", "in sums.items() if amount)", "in sums.items())"),
    "a return replaces what is there": Mutant(
        "operations", "part.remaining + (there.remaining if there else 0)", "part.remaining"
    ),
    "expired credits vanish unbooked": Mutant(
        "operations", "_with(tuple(g for g in grants if g.expired(now)), left)", "left"
    ),
    "the last is spent first": Mutant("values", "return grant.priority,", "return -grant.priority,"),
    "what never expires is spent first": Mutant("values", 'else "~"', 'else ""'),
    "equal grants are spent as they come": Mutant("values", 'else "~", grant.id', 'else "~", ""'),
    "expired credits count as spendable": Mutant(
        "values", "for grant in self.grants if not grant.expired(now))", "for grant in self.grants)"
    ),
    "the sweep is called for the latest expiry": Mutant("values", "return min((grant.exp", "return max((grant.exp"),
    "nothing is ever due": Mutant(
        "values", "for grant in self.grants if grant.expired(now)), None", "for grant in () if grant), None"
    ),
}


@contextmanager
def planted(mutant: Mutant | None) -> Iterator[ModuleType]:
    """The domain compiled from its source, with the mutant in it; the real modules stay as they are."""
    name = f"planted_{next(_serial)}"
    made = []
    try:
        for file in ("values", "operations", "__init__"):
            source = (FOLDER / f"{file}.py").read_text()
            if mutant is not None and mutant.file == file:
                assert source.count(mutant.right) == 1, f"{mutant.right!r} stands {source.count(mutant.right)} times"
                source = source.replace(mutant.right, mutant.wrong)
            full = name if file == "__init__" else f"{name}.{file}"
            module = ModuleType(full)
            sys.modules[full] = module  # the next file and the dataclasses look it up there
            made.append(full)
            exec(compile(source.replace("snapforge.billing.domain.", f"{name}."), full, "exec"), module.__dict__)
            if file == "values":
                sys.modules[name] = ModuleType(name)  # the package, before its __init__ replaces it
        yield sys.modules[name]
    finally:
        for full in (*made, name):
            sys.modules.pop(full, None)
