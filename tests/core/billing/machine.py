"""A state machine that plays with the ledger's rules and holds them to laws written without looking at them.

Generators are tiny on purpose (one org, three keys a draft, amounts up to 6, a clock of whole hours): rare states are
then common. The operations share only some keys, or a few clawbacks would use up what grants need. Credits are
compared unit by unit: a balance is the list of its credits' grant ids in the order of spending.
"""

from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

ORG = "org_1"
START = datetime(2026, 1, 31, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
HOUR = timedelta(hours=1)
GRANT_KEYS = st.sampled_from(["a", "b", "c"])
CLAW_KEYS = st.sampled_from(["c", "d"])
FORGIVE_KEYS = st.sampled_from(["d", "e"])
HOLDS = st.sampled_from(["h1", "h2", "h3"])
AMOUNTS = st.integers(1, 6)
KINDS = st.sampled_from(["pack", "signup"])


def raised(action: Any, *arguments: Any, **named: Any) -> Exception | None:
    """The error that a call raises, or None."""
    try:
        action(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - the caller compares its type
        return error
    return None


def rank(grant: Any) -> tuple[int, datetime, str]:
    """The law of spending: priority, then the sooner expiry, then the id."""
    return grant.priority, grant.expires_at or NEVER, grant.id


def machine(domain: ModuleType) -> type[RuleBasedStateMachine]:  # noqa: C901 - a class body, not a branch
    """The state machine that plays with `domain` (the real module, or a mutant of it)."""

    class Ledger(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.now = START
            self.account = domain.Account(ORG)
            self.holds: dict[str, Any] = {}
            self.journals: dict[str, Any] = {}
            self.asked: dict[str, tuple[Any, ...]] = {}
            self.grants: dict[str, Any] = {}

        # The book: what the tables do with a posting.

        def draft(self, key: str) -> Any:
            return domain.JournalDraft(id=f"j{len(self.journals)}", key=key, memo="", at=self.now)

        def post(self, posting: Any, *asked: Any) -> bool:
            """Append under its key; a repeated request changes nothing, another request is told apart."""
            key, journal = posting.journal.key, posting.journal
            if key in self.journals:
                same = self.journals[key].fingerprint == journal.fingerprint
                assert same == (self.asked[key] == asked), f"{self.asked[key]} and {asked}"
                return False
            self.journals[key], self.asked[key] = journal, asked
            self.account = posting.account
            return True

        def expired(self, grant: Any) -> bool:
            return (grant.expires_at or NEVER) <= self.now

        def units(self, grants: Any = None, first: str | None = None) -> list[str]:
            """The credits that can be spent now, as grant ids in the order of spending."""
            living = [g for g in (self.account.grants if grants is None else grants) if not self.expired(g)]
            living.sort(key=lambda g: (g.id != first, rank(g)))
            return [g.id for g in living for _ in range(g.remaining)]

        def dead(self) -> dict[str, int]:
            return {g.id: g.remaining for g in self.account.grants if self.expired(g)}

        # The operations.

        @rule(key=GRANT_KEYS, credits=AMOUNTS, kind=KINDS, priority=st.integers(1, 2), lasts=st.integers(0, 3))
        def give(self, key: str, credits: int, kind: str, priority: int, lasts: int) -> None:
            given = domain.Grant(
                id=f"g-{key}",
                kind=domain.GrantKind(kind),
                priority=priority,
                expires_at=self.now + (lasts - 1) * HOUR if lasts else None,
                remaining=credits,
            )
            if lasts == 1:
                assert isinstance(raised(domain.grant, self.account, self.draft(key), given), ValueError)
                return
            before, debt, dead = self.units(), self.account.debt, self.dead()
            posting = domain.grant(self.account, self.draft(key), given)
            if self.post(posting, "grant", kind, credits):
                self.grants[given.id] = given
                assert self.account.debt == max(0, debt - credits)
                assert sorted(self.units()) == sorted(before + [given.id] * max(0, credits - debt))
                assert self.dead() == dead
                assert posting.journal.change(f"house:granted:{kind}") == -credits

        @precondition(lambda self: self.grants)
        @rule(hold_id=HOLDS, data=st.data())
        def reserve(self, hold_id: str, data: st.DataObject) -> None:
            credits = data.draw(st.integers(0, min(6, len(self.units()) + 1)))
            arguments = (self.account, self.draft(f"hold:{hold_id}"))
            units, dead = self.units(), self.dead()
            if self.account.debt or credits > len(units):
                error = raised(domain.hold, *arguments, hold_id=hold_id, credits=credits)
                if self.account.debt:
                    assert isinstance(error, domain.InDebt)
                    assert error.debt == self.account.debt
                else:
                    assert isinstance(error, domain.NotEnough)
                    assert (error.required, error.available) == (credits, len(units))
                return
            change = domain.hold(*arguments, hold_id=hold_id, credits=credits)
            assert [part.id for part in change.hold.allocations for _ in range(part.remaining)] == units[:credits]
            assert (change.posting is None) == (credits == 0)
            assert change.hold.state == "open"
            if hold_id in self.holds:
                if change.posting is not None and self.holds[hold_id].amount:
                    assert not self.post(change.posting, "hold", hold_id, credits)
                return
            self.holds[hold_id] = change.hold
            if change.posting is not None:
                assert self.post(change.posting, "hold", hold_id, credits)
            assert self.units() == units[credits:]
            assert self.dead() == dead

        @precondition(lambda self: self.holds)
        @rule(data=st.data(), capture=st.integers(0, 7))
        def end(self, data: st.DataObject, capture: int) -> None:
            hold_id = data.draw(st.sampled_from(sorted(self.holds)))
            was = self.holds[hold_id]
            arguments = (self.account, was, self.draft(f"settle:{hold_id}"))
            if was.state != "open":
                error = raised(domain.settle, *arguments, capture=capture)
                assert isinstance(error, domain.Ended)
                assert (error.settled.captured, error.settled.released) == (was.captured, was.released)
                return
            if capture > was.amount:
                assert isinstance(raised(domain.settle, *arguments, capture=capture), ValueError)
                return
            debt, dead = self.account.debt, self.dead()
            back = [part.id for part in was.allocations for _ in range(part.remaining)][capture:]
            alive = [grant_id for grant_id in back if not self.expired(self.grants[grant_id])]
            merged = sorted(self.units() + alive, key=lambda grant_id: rank(self.grants[grant_id]))
            change = domain.settle(*arguments, capture=capture)
            self.holds[hold_id] = change.hold
            assert (change.hold.captured, change.hold.released) == (capture, was.amount - capture)
            assert change.hold.state == ("captured" if capture else "released")
            assert change.hold.amount == was.amount
            assert change.hold.allocations == was.allocations
            assert (change.posting is None) == (was.amount == 0)
            if change.posting is not None:
                assert self.post(change.posting, "settle", hold_id, capture)
                assert change.posting.journal.change("house:revenue") == capture
                assert change.posting.journal.change("house:expired") == len(back) - len(alive)
            paid = min(debt, len(merged))
            assert self.account.debt == debt - paid
            assert self.units() == merged[paid:]
            assert self.dead() == dead

        @precondition(lambda self: self.grants)
        @rule(key=CLAW_KEYS, credits=AMOUNTS, kind=KINDS, of=st.none() | GRANT_KEYS)
        def take_back(self, key: str, credits: int, kind: str, of: str | None) -> None:
            first = of and f"g-{of}"
            units, debt, dead = self.units(first=first), self.account.debt, self.dead()
            posting = domain.clawback(
                self.account, self.draft(key), credits=credits, kind=domain.GrantKind(kind), grant_id=first
            )
            if self.post(posting, "clawback", kind, credits, first):
                assert sorted(self.units()) == sorted(units[credits:])
                assert self.account.debt == debt + max(0, credits - len(units))
                assert self.dead() == dead
                assert posting.journal.change(f"house:granted:{kind}") == credits

        @precondition(lambda self: self.grants)
        @rule(key=FORGIVE_KEYS, credits=AMOUNTS)
        def forgive(self, key: str, credits: int) -> None:
            if credits > self.account.debt:
                error = raised(domain.write_off, self.account, self.draft(key), credits=credits)
                assert isinstance(error, ValueError)
                return
            units, debt = self.units(), self.account.debt
            if self.post(domain.write_off(self.account, self.draft(key), credits=credits), "write_off", credits):
                assert (self.units(), self.account.debt) == (units, debt - credits)

        @precondition(lambda self: any(grant.expires_at for grant in self.grants.values()))
        @rule()
        def wait(self) -> None:
            self.now += HOUR

        @precondition(lambda self: self.dead())
        @rule()
        def sweep(self) -> None:
            units, dead = self.units(), self.dead()
            while (gone := self.account.due(self.now)) is not None:
                posting = domain.expire(self.account, self.draft(f"expire:{gone.id}"), gone)
                assert self.post(posting, "expire", gone.id, gone.remaining), "one grant expires once by sweeping"
                assert posting.journal.change("house:expired") == dead.pop(gone.id)
            assert not dead
            assert self.units() == units
            for grant in self.account.grants:
                assert isinstance(raised(domain.expire, self.account, self.draft("x"), grant), ValueError)

        @initialize(amount=st.sampled_from([1.0, True, "1", 0, -1]))
        def no_number(self, amount: Any) -> None:
            """Every draft refuses what is no whole number of credits."""
            wanted = ValueError if type(amount) is int else TypeError
            draft, kind = self.draft("no"), domain.GrantKind.pack
            given = domain.Grant(id="g", kind=kind, priority=1, expires_at=None, remaining=amount)
            free = domain.Hold(id="h", org_id=ORG, amount=0, allocations=())
            assert isinstance(raised(domain.grant, self.account, draft, given), wanted)
            assert isinstance(raised(domain.clawback, self.account, draft, credits=amount, kind=kind), wanted)
            assert isinstance(raised(domain.write_off, self.account, draft, credits=amount), wanted)
            if amount != 0:
                assert isinstance(raised(domain.hold, self.account, draft, hold_id="h", credits=amount), wanted)
                assert isinstance(raised(domain.settle, self.account, free, draft, capture=amount), wanted)

        # What is true after every step.

        @invariant()
        def every_journal_sums_to_zero(self) -> None:
            for journal in self.journals.values():
                amounts = [leg.amount for leg in journal.legs]
                assert sum(amounts) == 0
                assert len(amounts) >= 2
                assert 0 not in amounts
                assert all(type(amount) is int for amount in amounts)
                assert len({leg.account for leg in journal.legs}) == len(amounts)

        @invariant()
        def balances_are_folds_of_journals(self) -> None:
            folds: dict[str, int] = {}
            for journal in self.journals.values():
                for leg in journal.legs:
                    folds[leg.account] = folds.get(leg.account, 0) + leg.amount
            assert folds.get(f"org:{ORG}:available", 0) == self.account.available
            assert folds.get(f"org:{ORG}:held", 0) == self.account.held
            assert -folds.get(f"org:{ORG}:debt", 0) == self.account.debt

        @invariant()
        def nothing_is_below_zero(self) -> None:
            assert self.account.available >= 0
            assert self.account.held >= 0
            assert self.account.debt >= 0

        @invariant()
        def held_is_the_sum_of_open_holds(self) -> None:
            assert self.account.held == sum(hold.amount for hold in self.holds.values() if hold.state == "open")

        @invariant()
        def captured_and_released_make_the_hold(self) -> None:
            for hold in self.holds.values():
                ended = hold.captured + hold.released
                assert ended == (0 if hold.state == "open" else hold.amount)
                assert hold.amount == sum(part.remaining for part in hold.allocations)

        @invariant()
        def grants_make_the_available_credits(self) -> None:
            grants = self.account.grants
            assert self.account.available == sum(grant.remaining for grant in grants)
            assert all(grant.remaining > 0 for grant in grants)
            assert list(grants) == sorted(grants, key=rank)
            assert len({grant.id for grant in grants}) == len(grants)
            assert self.account.spendable(self.now) == len(self.units())
            assert self.account.due_at == min((g.expires_at for g in grants if g.expires_at), default=None)
            for grant in grants:
                origin = self.grants[grant.id]
                assert (grant.kind, grant.priority, grant.expires_at) == (
                    origin.kind,
                    origin.priority,
                    origin.expires_at,
                )

        @invariant()
        def debt_leaves_nothing_to_spend(self) -> None:
            assert not (self.account.debt and self.units())

        @invariant()
        def journals_are_counted(self) -> None:
            assert [journal.seq for journal in self.journals.values()] == list(range(1, len(self.journals) + 1))
            assert self.account.version == len(self.journals)

    return Ledger
