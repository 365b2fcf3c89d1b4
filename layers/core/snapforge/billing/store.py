"""Rows of billing.

Table `billing`
    org#<id> / account         balances and open grants; written only under its version
    org#<id> / hold#<hold id>  one per hold, kept as the record of how it ended
    outbox#<event id> / an event on its way out
    index `due`                accounts with something that expires, by the next expiry, in DUE_SHARDS partitions
Table `ledger`, put-only by IAM
    org#<id> / key#<key>       a journal. Its key is its sort key, so that one key cannot have two
    index `by_seq`             an org's journals in their order

Access patterns: account by org · hold by id · open holds and journals of an org (audit) · journals newest first ·
accounts due. No scans.
"""

import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import (
    DiscriminatorAttribute,
    ListAttribute,
    MapAttribute,
    UnicodeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection

from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute
from snapforge.aws.outbox import OutboxRow
from snapforge.aws.tables import Row, Stale, Transaction, find, org_pk
from snapforge.billing import errors
from snapforge.billing.domain import Account, Grant, GrantKind, Hold, HoldState, Journal, JournalKind, Leg

DUE_SHARDS = 4
_HOLD = "hold#"


class GrantMap(MapAttribute[str, Any]):
    """A grant inside an account or a hold; `remaining` in credits, `expires_at` RFC 3339."""

    id = UnicodeAttribute()
    kind = UnicodeAttribute()
    priority = IntegerAttribute()
    expires_at = TimestampAttribute(null=True)
    remaining = IntegerAttribute()


class LegMap(MapAttribute[str, Any]):
    """A leg inside a journal."""

    account = UnicodeAttribute()
    amount = IntegerAttribute()


class DueIndex(GlobalSecondaryIndex["AccountRow"]):  # type: ignore[no-untyped-call]
    """Accounts by their next expiry; sparse."""

    class Meta:
        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = TimestampAttribute(range_key=True)


class BillingRow(Row):
    """The base of rows in `billing`."""

    class Meta:
        context = "billing"

    cls = DiscriminatorAttribute()


class AccountRow(BillingRow, discriminator="Account"):
    available = IntegerAttribute()
    held = IntegerAttribute()
    debt = IntegerAttribute()
    grants: ListAttribute[GrantMap] = ListAttribute(of=GrantMap)
    version = IntegerAttribute()
    due_shard = UnicodeAttribute(null=True)
    due_at = TimestampAttribute(null=True)
    by_due = DueIndex()


class HoldRow(BillingRow, discriminator="Hold"):
    amount = IntegerAttribute()
    allocations: ListAttribute[GrantMap] = ListAttribute(of=GrantMap)
    state = UnicodeAttribute()
    captured = IntegerAttribute()
    released = IntegerAttribute()


class Outbox(OutboxRow, discriminator="Outbox"):
    class Meta:
        context = "billing"

    cls = DiscriminatorAttribute()


class SeqIndex(GlobalSecondaryIndex["JournalRow"]):  # type: ignore[no-untyped-call]
    """An org's journals by `seq`."""

    class Meta:
        index_name = "by_seq"
        projection = AllProjection()

    pk = UnicodeAttribute(hash_key=True)
    seq = IntegerAttribute(range_key=True)


class LedgerRow(Row):
    """The base of rows in `ledger`."""

    class Meta:
        context = "ledger"

    cls = DiscriminatorAttribute()


class JournalRow(LedgerRow, discriminator="Journal"):
    id = UnicodeAttribute()
    seq = IntegerAttribute()
    kind = UnicodeAttribute()
    at = TimestampAttribute()
    memo = UnicodeAttribute()
    legs: ListAttribute[LegMap] = ListAttribute(of=LegMap)
    fingerprint = UnicodeAttribute()
    hold_id = UnicodeAttribute(null=True)
    grant_id = UnicodeAttribute(null=True)
    by_seq = SeqIndex()


def account(org_id: str) -> Account | None:
    """The org's account as it stands, or None before its first journal. One GetItem, consistent."""
    row = find(AccountRow, org_pk(org_id), "account")
    return None if row is None else _account(row, org_id)


def hold(org_id: str, hold_id: str) -> Hold | None:
    """A hold, or None. One GetItem, consistent."""
    row = find(HoldRow, org_pk(org_id), _HOLD + hold_id)
    return None if row is None else _hold(row, org_id)


def holds(org_id: str) -> Iterator[Hold]:
    """Every hold the org ever had."""
    for row in HoldRow.query(org_pk(org_id), HoldRow.sk.startswith(_HOLD), consistent_read=True):
        yield _hold(row, org_id)


def journals(org_id: str) -> Iterator[Journal]:
    """Every journal of the org, consistent, in no useful order."""
    for row in JournalRow.query(org_pk(org_id), consistent_read=True):
        yield _journal(row)


def newest_journals(org_id: str, *, before: int | None, limit: int) -> list[Journal]:
    """Up to `limit` journals with `seq` below `before`, newest first. One Query of the index."""
    older = None if before is None else JournalRow.seq < before
    rows = JournalRow.by_seq.query(org_pk(org_id), older, scan_index_forward=False, limit=limit)
    return [_journal(row) for row in rows]


def due_orgs(now: datetime) -> Iterator[str]:
    """Orgs with something that expired by `now`. The index lags: look at the account itself."""
    for shard in range(DUE_SHARDS):
        for row in AccountRow.by_due.query(_due_shard(shard), AccountRow.due_at <= now):
            yield row.pk.removeprefix("org#")


def put_account(tx: Transaction, new: Account, *, replacing: Account | None) -> None:
    """Write an account; raises Stale at commit when it is no longer the one decided on."""
    due = new.due_at
    row = AccountRow(
        pk=org_pk(new.org_id),
        sk="account",
        available=new.available,
        held=new.held,
        debt=new.debt,
        grants=[_grant_map(grant) for grant in new.grants],
        version=new.version,
        due_shard=None if due is None else _due_shard(zlib.crc32(new.org_id.encode()) % DUE_SHARDS),
        due_at=due,
    )
    as_read = AccountRow.pk.does_not_exist() if replacing is None else AccountRow.version == replacing.version
    tx.put(row, as_read, failed=lambda _: Stale())


def put_new_hold(tx: Transaction, new: Hold) -> None:
    """Write a fresh hold; raises HoldExists at commit."""
    tx.put_new(_hold_row(new), failed=lambda _: errors.HoldExists(new.id))


def put_ended_hold(tx: Transaction, ended: Hold) -> None:
    """Write how an open hold ended; raises Stale at commit when it ended otherwise."""
    tx.put(_hold_row(ended), HoldRow.state == HoldState.open.value, failed=lambda _: Stale())


def put_journal(tx: Transaction, new: Journal) -> None:
    """Append a journal; at commit, raises AlreadyPosted for a repeated key and KeyReused for a reused one."""

    def failed(old: dict[str, Any] | None) -> Exception:
        if old is None or old["fingerprint"]["S"] != new.fingerprint:
            return errors.KeyReused(f"{new.org_id}: the key {new.key} stands for another request")
        return errors.AlreadyPosted(_journal(JournalRow.from_raw_data(old)))

    row = JournalRow(
        pk=org_pk(new.org_id),
        sk=f"key#{new.key}",
        id=new.id,
        seq=new.seq,
        kind=new.kind.value,
        at=new.at,
        memo=new.memo,
        legs=[_leg_map(leg) for leg in new.legs],
        fingerprint=new.fingerprint,
        hold_id=new.hold_id,
        grant_id=new.grant_id,
    )
    tx.put_new(row, failed=failed)


def _due_shard(shard: int) -> str:
    return f"due#{shard}"


def _leg_map(leg: Leg) -> LegMap:
    return LegMap(account=leg.account, amount=leg.amount)  # type: ignore[no-untyped-call]


def _grant_map(grant: Grant) -> GrantMap:
    return GrantMap(  # type: ignore[no-untyped-call]
        id=grant.id,
        kind=grant.kind.value,
        priority=grant.priority,
        expires_at=grant.expires_at,
        remaining=grant.remaining,
    )


def _grant(row: GrantMap) -> Grant:
    return Grant(
        id=row.id,
        kind=GrantKind(row.kind),
        priority=row.priority,
        expires_at=row.expires_at,
        remaining=row.remaining,
    )


def _account(row: AccountRow, org_id: str) -> Account:
    return Account(
        org_id=org_id,
        available=row.available,
        held=row.held,
        debt=row.debt,
        grants=tuple(_grant(grant) for grant in row.grants),
        version=row.version,
    )


def _hold_row(hold: Hold) -> HoldRow:
    return HoldRow(
        pk=org_pk(hold.org_id),
        sk=_HOLD + hold.id,
        amount=hold.amount,
        allocations=[_grant_map(part) for part in hold.allocations],
        state=hold.state.value,
        captured=hold.captured,
        released=hold.released,
    )


def _hold(row: HoldRow, org_id: str) -> Hold:
    return Hold(
        id=row.sk.removeprefix(_HOLD),
        org_id=org_id,
        amount=row.amount,
        allocations=tuple(_grant(part) for part in row.allocations),
        state=HoldState(row.state),
        captured=row.captured,
        released=row.released,
    )


def _journal(row: JournalRow) -> Journal:
    return Journal(
        id=row.id,
        org_id=row.pk.removeprefix("org#"),
        key=row.sk.removeprefix("key#"),
        seq=row.seq,
        kind=JournalKind(row.kind),
        at=row.at,
        memo=row.memo,
        legs=tuple(Leg(leg.account, leg.amount) for leg in row.legs),
        fingerprint=row.fingerprint,
        hold_id=row.hold_id,
        grant_id=row.grant_id,
    )
