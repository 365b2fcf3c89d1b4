"""The ledger's operations. Each takes what stands and decides what is written; nothing here writes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from snapforge.billing.domain.values import (
    EXPIRED,
    REVENUE,
    WRITE_OFF,
    Account,
    Ended,
    Grant,
    GrantKind,
    Hold,
    HoldChange,
    HoldState,
    InDebt,
    Journal,
    JournalDraft,
    JournalKind,
    Leg,
    NotEnough,
    Posting,
    available,
    debt,
    granted,
    held,
    spending_order,
)


def whole(number: int, minimum: int) -> int:
    """The number itself. TypeError for anything but an int (bool is none); ValueError below `least`."""
    if type(number) is not int:
        raise TypeError(f"credits are integers, not {number!r}")
    if number < minimum:
        raise ValueError(f"credits must be at least {minimum}, not {number}")
    return number


def fingerprint(about: str, asked: Iterable[Leg]) -> str:
    """The SHA-256 (hex) by which a repeated key is told from a reused one. `about` is the hold or grant that the caller
    named: two holds of equal size are not the same request."""
    parts = [about, sorted((leg.account, leg.amount) for leg in asked)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def grant(account: Account, draft: JournalDraft, given: Grant) -> Posting:
    """Give credits; a debt is paid first, the rest can be spent. ValueError when it has expired already."""
    credits_ = whole(given.remaining, 1)
    if given.expired(draft.at):
        raise ValueError(f"the grant expires at {given.expires_at}, before it is given")
    asked = [Leg(granted(given.kind), -credits_), Leg(available(account.org_id), credits_)]
    grants, pays = _debt_paid(account, _with(account.grants, (given,)), draft.at)
    return _posted(account, draft, JournalKind.grant, asked, pays, grants, grant_id=given.id)


def hold(account: Account, draft: JournalDraft, *, hold_id: str, credits: int) -> HoldChange:
    """Reserve credits. Free work (0 credits) is a hold that moves nothing. Raises InDebt, NotEnough."""
    whole(credits, 0)
    if account.debt:
        raise InDebt(account.debt)
    taken, left = _taken(account.grants, credits, draft.at)
    if _total(taken) < credits:
        raise NotEnough(credits, account.spendable(draft.at))
    made = Hold(id=hold_id, org_id=account.org_id, amount=credits, allocations=taken)
    if not credits:
        return HoldChange(made, None)
    asked = [Leg(available(account.org_id), -credits), Leg(held(account.org_id), credits)]
    posting = _posted(account, draft, JournalKind.hold, asked, [], left, about=hold_id, hold_id=hold_id)
    return HoldChange(made, posting)


def settle(account: Account, open_hold: Hold, draft: JournalDraft, *, capture: int) -> HoldChange:
    """End a hold: `capture` of it is earned, the rest returns to the very grants it came from.

    What returns to a grant that has expired meanwhile expires at once; what returns to a customer in debt pays that
    first. Raises Ended for a hold that ended before, ValueError for a capture beyond the hold.
    """
    if open_hold.state is not HoldState.open:
        raise Ended(open_hold.settled)
    if whole(capture, 0) > open_hold.amount:
        raise ValueError(f"{capture} credits cannot be captured from a hold of {open_hold.amount}")
    rest = open_hold.amount - capture
    ended = replace(
        open_hold, state=HoldState.captured if capture else HoldState.released, captured=capture, released=rest
    )
    if not open_hold.amount:
        return HoldChange(ended, None)
    org_id = account.org_id
    asked = [Leg(held(org_id), -open_hold.amount), Leg(REVENUE, capture), Leg(available(org_id), rest)]
    _, returned = _split(open_hold.allocations, capture)
    lost = _total(part for part in returned if part.expired(draft.at))
    alive = tuple(part for part in returned if not part.expired(draft.at))
    grants, pays = _debt_paid(account, _with(account.grants, alive), draft.at)
    also = [Leg(available(org_id), -lost), Leg(EXPIRED, lost), *pays]
    hold_id = open_hold.id
    posting = _posted(account, draft, JournalKind.settle, asked, also, grants, about=hold_id, hold_id=hold_id)
    return HoldChange(ended, posting)


def expire(account: Account, draft: JournalDraft, gone: Grant) -> Posting:
    """Book the expiry of what remains in one grant of the account; holds keep what they reserved from it.
    ValueError before its time."""
    if not gone.expired(draft.at):
        raise ValueError(f"grant {gone.id} expires at {gone.expires_at}, not yet at {draft.at}")
    asked = [Leg(available(account.org_id), -gone.remaining), Leg(EXPIRED, gone.remaining)]
    left = tuple(grant for grant in account.grants if grant.id != gone.id)
    return _posted(account, draft, JournalKind.expire, asked, [], left, about=gone.id, grant_id=gone.id)


def clawback(
    account: Account, draft: JournalDraft, *, credits: int, kind: GrantKind, grant_id: str | None = None
) -> Posting:
    """Take credits back (refund, dispute): from their own grant first, then from the others; what has been spent, or is
    held, becomes debt. Open holds are not touched."""
    whole(credits, 1)
    asked = [Leg(granted(kind), credits), Leg(available(account.org_id), -credits)]
    taken, left = _taken(account.grants, credits, draft.at, first=grant_id)
    lacking = credits - _total(taken)
    also = [Leg(available(account.org_id), lacking), Leg(debt(account.org_id), -lacking)]
    return _posted(account, draft, JournalKind.clawback, asked, also, left, about=grant_id or "", grant_id=grant_id)


def write_off(account: Account, draft: JournalDraft, *, credits: int) -> Posting:
    """Forgive part or all of a debt. ValueError beyond it."""
    if whole(credits, 1) > account.debt:
        raise ValueError(f"{credits} credits cannot be forgiven of a debt of {account.debt}")
    asked = [Leg(debt(account.org_id), credits), Leg(WRITE_OFF, -credits)]
    return _posted(account, draft, JournalKind.write_off, asked, [], account.grants)


def _posted(
    account: Account,
    draft: JournalDraft,
    kind: JournalKind,
    asked: list[Leg],
    also: list[Leg],
    grants: tuple[Grant, ...],
    *,
    about: str = "",
    hold_id: str | None = None,
    grant_id: str | None = None,
) -> Posting:
    """The journal of the netted legs, and the account after it. Balances move by the legs alone, grants by the caller's
    reckoning: Account refuses when the two disagree, so a wrong rule cannot be written."""
    journal = Journal(
        id=draft.id,
        org_id=account.org_id,
        key=draft.key,
        seq=account.version + 1,
        kind=kind,
        at=draft.at,
        memo=draft.memo,
        legs=_netted([*asked, *also]),
        fingerprint=fingerprint(about, asked),
        hold_id=hold_id,
        grant_id=grant_id,
    )
    org_id = account.org_id
    moved = Account(
        org_id=org_id,
        available=account.available + journal.change(available(org_id)),
        held=account.held + journal.change(held(org_id)),
        debt=account.debt - journal.change(debt(org_id)),
        grants=grants,
        version=journal.seq,
    )
    return Posting(moved, journal)


def _netted(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """One leg per account, none of 0, in the order of first mention."""
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount
    return tuple(Leg(account, amount) for account, amount in sums.items() if amount)


def _debt_paid(account: Account, grants: tuple[Grant, ...], now: datetime) -> tuple[tuple[Grant, ...], list[Leg]]:
    """The grants after paying as much of the account's debt as they can, and the legs of that."""
    taken, left = _taken(grants, account.debt, now)
    paid = _total(taken)
    return left, [Leg(available(account.org_id), -paid), Leg(debt(account.org_id), paid)]


def _taken(
    grants: tuple[Grant, ...], amount: int, now: datetime, *, first: str | None = None
) -> tuple[tuple[Grant, ...], tuple[Grant, ...]]:
    """Up to `amount` from the living grants in the order of spending (`first` before all): the parts taken, and the
    grants left."""
    living = sorted((g for g in grants if not g.expired(now)), key=lambda g: (g.id != first, spending_order(g)))
    taken, left = _split(living, amount)
    return taken, _with(tuple(g for g in grants if g.expired(now)), left)


def _split(parts: Iterable[Grant], amount: int) -> tuple[tuple[Grant, ...], tuple[Grant, ...]]:
    """The first `amount` credits of `parts`, and what comes after them; no empty part in either."""
    before, after = [], []
    for part in parts:
        take = min(part.remaining, amount)
        amount -= take
        before.append(replace(part, remaining=take))
        after.append(replace(part, remaining=part.remaining - take))
    return tuple(p for p in before if p.remaining), tuple(p for p in after if p.remaining)


def _with(grants: tuple[Grant, ...], added: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """The grants with credits added, merged by id, in the order of spending."""
    merged = {grant.id: grant for grant in grants}
    for part in added:
        there = merged.get(part.id)
        merged[part.id] = replace(part, remaining=part.remaining + (there.remaining if there else 0))
    return tuple(sorted(merged.values(), key=spending_order))


def _total(parts: Iterable[Grant]) -> int:
    return sum(part.remaining for part in parts)
