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
    "a top-up does not pay the debt": Mutant("deeds", "_taken(grants, account.debt, now)", "_taken(grants, 0, now)"),
    "a hold ends twice": Mutant("deeds", "if open_hold.state is not HoldState.open:", "if False:"),
    "the fingerprint is of what was booked, not of what was asked": Mutant(
        "deeds", "fingerprint(about, asked)", "fingerprint(about, _netted([*asked, *also]))"
    ),
}

MORE = {
    "a debt blocks nothing": Mutant("deeds", "if account.debt:", "if False:"),
    "a hold takes more than there is": Mutant("deeds", "_total(taken) < credits:", "_total(taken) < credits - 1:"),
    "a hold cannot take the last credit": Mutant("deeds", "_total(taken) < credits:", "_total(taken) <= credits:"),
    "the shortfall is told from the stored balance": Mutant(
        "deeds", "NotEnough(credits, account.spendable(deed.at))", "NotEnough(credits, account.avail)"
    ),
    "a hold remembers what was left as what was taken": Mutant("deeds", "allocations=taken", "allocations=left"),
    "free work moves an empty journal": Mutant(
        "deeds", "    if not credits:\n        return HoldChange(made, None)\n", ""
    ),
    "the captured part returns, the rest is kept": Mutant("deeds", "_, returned = _split", "returned, _ = _split"),
    "what returns to an expired grant lives on": Mutant(
        "deeds", "alive = tuple(part for part in returned if not part.expired(deed.at))", "alive = returned"
    ),
    "an expired return is lost without legs": Mutant("deeds", "Leg(EXPIRED, lost), *pays", "*pays"),
    "returned credits leave the debt": Mutant(
        "deeds",
        "grants, pays = _debt_paid(account, _with(account.grants, alive), deed.at)",
        "grants, pays = _with(account.grants, alive), list[Leg]()",
    ),
    "one credit more than held can be captured": Mutant(
        "deeds", "whole(capture, 0) > open_hold.amount", "whole(capture, 0) > open_hold.amount + 1"
    ),
    "a released hold is called captured": Mutant(
        "deeds", "HoldState.captured if capture else HoldState.released", "HoldState.captured"
    ),
    "revenue is the whole hold": Mutant("deeds", "Leg(REVENUE, capture)", "Leg(REVENUE, open_hold.amount)"),
    "expiry before its time": Mutant("deeds", "if not gone.expired(deed.at):", "if False:"),
    "expiry takes the other grants": Mutant("deeds", "if grant.id != gone.id", "if grant.id == gone.id"),
    "expiry touches holds": Mutant(
        "deeds",
        "asked = [Leg(avail(account.org_id), -gone.remaining)",
        "asked = [Leg(held(account.org_id), -gone.remaining)",
    ),
    "a claw ignores its own grant": Mutant("deeds", "deed.at, first=grant_id)", "deed.at)"),
    "a claw forgets what was spent": Mutant("deeds", "lacking = credits - _total(taken)", "lacking = 0"),
    "a claw takes expired credits": Mutant(
        "deeds",
        "taken, left = _taken(account.grants, credits, deed.at, first",
        "taken, left = _taken(account.grants, credits, datetime.min.replace(tzinfo=deed.at.tzinfo), first",
    ),
    "more is forgiven than owed": Mutant("deeds", "whole(credits, 1) > account.debt", "whole(credits, 1) < 0"),
    "a grant that has expired is given": Mutant("deeds", "if given.expired(deed.at):", "if False:"),
    "credits may be fractions": Mutant("deeds", "type(number) is not int", "not isinstance(number, (int, float))"),
    "True is a credit": Mutant("deeds", "type(number) is not int", "not isinstance(number, int)"),
    "nothing can be granted": Mutant(
        "deeds", "credits_ = whole(given.remaining, 1)", "credits_ = whole(given.remaining, 0)"
    ),
    "the fingerprint forgets the hold": Mutant("deeds", "told = [about, ", "told = ["),
    "the fingerprint forgets the amounts": Mutant("deeds", "(leg.account, leg.amount) for", "(leg.account,) for"),
    "the debt grows the wrong way": Mutant("deeds", "debt=account.debt - journal", "debt=account.debt + journal"),
    "journals are not counted": Mutant("deeds", "seq=account.version + 1", "seq=account.version"),
    "legs of zero are booked": Mutant("deeds", "in sums.items() if amount)", "in sums.items())"),
    "a return replaces what is there": Mutant(
        "deeds", "part.remaining + (there.remaining if there else 0)", "part.remaining"
    ),
    "expired credits vanish unbooked": Mutant(
        "deeds", "_with(tuple(g for g in grants if g.expired(now)), left)", "left"
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
        for file in ("values", "deeds", "__init__"):
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
