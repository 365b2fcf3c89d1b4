"""The operations of the ledger.

Those that take a `Transaction` add their part to the caller's; the caller commits inside `tables.retried`, because a
balance that changed meanwhile makes the commit raise `Stale`.
"""

from collections.abc import Callable
from datetime import datetime

from snapforge.aws import lists, outbox
from snapforge.aws.tables import Transaction, retried
from snapforge.billing import domain, errors, events, store
from snapforge.billing.domain import Account, BrokenLedger, Grant, GrantKind, Journal, JournalDraft, Posting, Settled
from snapforge.billing.schemas import BalanceView, GrantView, JournalView, LegView
from snapforge.kit import clock, ids
from snapforge.kit.errors import Unavailable
from snapforge.kit.events import Event
from snapforge.kit.page import InvalidCursor, Page, decode_cursor

_CURSOR = "seq#"


def hold(tx: Transaction, *, org_id: str, hold_id: str, credits: int, key: str, memo: str) -> None:
    """Reserve credits (0: free work, which moves nothing). One GetItem now, three parts at commit.

    Raises InsufficientCredits, AccountInDebt. At commit: Stale (decide again); AlreadyPosted when this very hold
    stands; KeyReused, HoldExists for bugs.
    """
    stored = store.account(org_id)
    try:
        change = domain.hold(stored or Account(org_id), _draft(key, memo), hold_id=hold_id, credits=credits)
    except domain.NotEnough as error:
        raise errors.InsufficientCredits.of(error.required, error.available) from error
    except domain.InDebt as error:
        raise errors.AccountInDebt.of(error.debt) from error
    if change.posting is not None:
        _write(tx, stored, change.posting)
    store.put_new_hold(tx, change.hold)


def settle(tx: Transaction, *, org_id: str, hold_id: str, capture: int, key: str, memo: str) -> Settled:
    """End a hold: capture all, a part or nothing of it; the rest returns to its grants. Two GetItems now, three parts
    at commit.

    Raises HoldEnded (with how it ended) when it has ended before, HoldNotFound, ValueError for a capture beyond it. At
    commit: Stale (decide again: a rival may have ended it), KeyReused for bugs.
    """
    # The account first: a rival that ends the hold between the reads is then seen in the hold. The other way round, its
    # credits would be gone from the account while the hold still looked open.
    stored = store.account(org_id)
    open_hold = store.hold(org_id, hold_id)
    if open_hold is None:
        raise errors.HoldNotFound(f"There is no hold {hold_id}.")
    try:
        change = domain.settle(stored or Account(org_id), open_hold, _draft(key, memo), capture=capture)
    except domain.Ended as error:
        raise errors.HoldEnded(error.settled) from error
    if change.posting is not None:
        _write(tx, stored, change.posting)
    store.put_ended_hold(tx, change.hold)
    return change.hold.settled


def grant(
    org_id: str,
    *,
    credits: int,
    kind: str,
    key: str,
    memo: str,
    priority: int | None = None,
    expires_at: datetime | None = None,
) -> Journal:
    """Give credits; the account is made at the first. A repeated key returns the first journal; KeyReused for another
    request. `priority`: lower is spent first; by default that of the kind."""
    origin = GrantKind(kind)
    given = Grant(
        id=ids.new("grant"),
        kind=origin,
        priority=domain.PRIORITIES[origin] if priority is None else priority,
        expires_at=expires_at,
        remaining=credits,
    )
    return _done(
        org_id,
        lambda account: domain.grant(account, _draft(key, memo), given),
        lambda posting: events.granted(posting.account, posting.journal, given),
    )


def grant_by_operator(
    org_id: str,
    *,
    credits: int,
    reason: str,
    key: str,
    expires_at: datetime | None = None,
) -> Journal:
    """An admin grant to an org that has an account already (AccountNotFound: a mistyped id must not make one)."""
    if store.account(org_id) is None:
        raise errors.AccountNotFound(f"No credits were ever given to {org_id}; is the id right?")
    return grant(org_id, credits=credits, kind=GrantKind.admin, key=f"admin:{key}", memo=reason, expires_at=expires_at)


def grant_at_sign_up(org_id: str) -> Journal:
    """The credits every new org starts with, once."""
    return grant(
        org_id,
        credits=domain.SIGNUP_CREDITS,
        kind=GrantKind.signup,
        key=f"signup:{org_id}",
        memo="Welcome credits",
    )


def clawback(
    org_id: str,
    *,
    credits: int,
    kind: str,
    key: str,
    memo: str,
    grant_id: str | None = None,
) -> Journal:
    """Take credits of a kind back; what is not available becomes debt. A repeated key returns the first journal."""
    return _done(
        org_id,
        lambda account: domain.clawback(
            account, _draft(key, memo), credits=credits, kind=GrantKind(kind), grant_id=grant_id
        ),
    )


def write_off(org_id: str, *, credits: int, key: str, memo: str) -> Journal:
    """Forgive so much of a debt (ValueError beyond it). A repeated key returns the first journal."""
    return _done(org_id, lambda account: domain.write_off(account, _draft(key, memo), credits=credits))


def expire_due(now: datetime) -> int:
    """Book the expiry of all that expired by `now`; returns how many grants. An account that fails does not hold up the
    others: all failures are raised together at the end."""
    booked, failures = 0, []
    for org_id in store.due_orgs(now):
        try:
            booked += _expire_all(org_id, now)
        except (BrokenLedger, Unavailable) as error:
            error.add_note(org_id)
            failures.append(error)
    if failures:
        raise ExceptionGroup("accounts whose grants could not expire", failures)
    return booked


def balance(org_id: str) -> BalanceView:
    """What the org has now; all 0 before its first grant. One GetItem."""
    account, now = store.account(org_id) or Account(org_id), clock.now()
    return BalanceView(
        available=account.spendable(now),
        held=account.held,
        debt=account.debt,
        grants=[GrantView.model_validate(grant) for grant in account.grants if not grant.expired(now)],
    )


def journals(org_id: str, cursor: str | None = None, limit: int = 50) -> Page[JournalView]:
    """The statement, newest first. Raises InvalidCursor. One Query."""
    before = None
    if cursor is not None:
        text = decode_cursor(cursor, prefix=_CURSOR).removeprefix(_CURSOR)
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise InvalidCursor()
        before = int(text)
    found = store.newest_journals(org_id, before=before, limit=limit + 1)
    return lists.page(found, limit, key=lambda journal: f"{_CURSOR}{journal.seq}", view=_view)


def _expire_all(org_id: str, now: datetime) -> int:
    """Book all due grants of an org, a transaction each; returns how many."""
    booked = 0
    while retried(lambda: _expire_one(org_id, now)):
        booked += 1
    return booked


def _expire_one(org_id: str, now: datetime) -> bool:
    """Book one due grant of an org; False when nothing is due."""
    account = store.account(org_id)
    gone = None if account is None else account.due(now)
    if account is None or gone is None:
        return False
    draft = JournalDraft(ids.new("journal"), f"expire:{gone.id}", f"{gone.kind.capitalize()} credits expired", now)
    posting = domain.expire(account, draft, gone)
    tx = Transaction()
    _write(tx, account, posting)
    outbox.put(tx, store.Outbox, events.expired(posting.account, posting.journal, gone))
    tx.commit()
    return True


def _done(
    org_id: str,
    decide: Callable[[Account], Posting],
    event: Callable[[Posting], Event] | None = None,
) -> Journal:
    """Decide on the account and write in a transaction of its own. A repeated key returns the first journal."""

    def decide_and_write() -> Journal:
        stored = store.account(org_id)
        posting = decide(stored or Account(org_id))
        tx = Transaction()
        _write(tx, stored, posting)
        if event is not None:
            outbox.put(tx, store.Outbox, event(posting))
        tx.commit()
        return posting.journal

    try:
        return retried(decide_and_write)
    except errors.AlreadyPosted as error:
        return error.journal


def _write(tx: Transaction, replacing: Account | None, posting: Posting) -> None:
    """The account goes first: when a rival was faster, the commit says Stale before anything else."""
    store.put_account(tx, posting.account, replacing=replacing)
    store.put_journal(tx, posting.journal)


def _draft(key: str, memo: str) -> JournalDraft:
    return JournalDraft(id=ids.new("journal"), key=key, memo=memo, at=clock.now())


def _view(journal: Journal) -> JournalView:
    return JournalView(
        id=journal.id,
        at=journal.at,
        kind=journal.kind,
        memo=journal.memo,
        change_available=journal.change(domain.available(journal.org_id)),
        change_held=journal.change(domain.held(journal.org_id)),
        change_debt=-journal.change(domain.debt(journal.org_id)),
        hold_id=journal.hold_id,
        legs=[LegView.model_validate(leg) for leg in journal.legs],
    )
