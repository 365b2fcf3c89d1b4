"""API keys: make, list, revoke; and who a key stands for."""

import hmac
from datetime import datetime, timedelta
from typing import Any

from pynamodb.expressions.operand import Path

from snapforge.aws import outbox
from snapforge.aws.tables import Item, Stale, Transaction, find, org_pk, retried, update
from snapforge.identity import domain, events, schemas, store
from snapforge.identity.errors import TooManyKeys
from snapforge.kit import clock, ids
from snapforge.kit.errors import NotFound, RateLimited, Unauthenticated
from snapforge.kit.limits import Allowance
from snapforge.kit.permissions import Permission, Principal

KEPT_AFTER_END = timedelta(days=90)
_RING = Path("taken")


def principal_of_key(key: str) -> tuple[Principal, Allowance]:
    """Whom an API key names, and what is left of its rate. One UpdateItem authenticates, counts and stamps the use.

    Unauthenticated: unknown, wrong, expired or revoked. RateLimited, with the headers of the Allowance.
    """
    text = domain.parse_key(key)
    if text is None:
        raise _refused()
    now = clock.now()
    row = update(
        store.ApiKey(pk=f"key#{text.key_id}", sk="key"),
        [
            # The ring turns: the new moment is appended, the oldest falls out. That one decides, exactly, whether
            # KEY_LIMIT.count requests lie within the last KEY_LIMIT.seconds.
            _RING[domain.KEY_LIMIT.count].set(_milliseconds(now)),
            _RING[0].remove(),
            store.ApiKey.last_used_at.set(now),
        ],
        (store.ApiKey.secret_hash == text.secret_hash)
        & store.ApiKey.revoked_at.does_not_exist()
        & (store.ApiKey.expires_at.does_not_exist() | (store.ApiKey.expires_at > now))
        & (_RING[0] <= _milliseconds(now) - domain.KEY_LIMIT.seconds * 1000),
        failed=lambda item: _why(item, text, now),
    )
    principal = Principal(
        org_id=row.org_id,
        permissions=frozenset(Permission(scope) for scope in row.scopes.split()),
        key_id=row.key_id,
        test_mode=row.test_mode,
    )
    return principal, domain.allowance_of_ring(domain.KEY_LIMIT, row.taken, _milliseconds(now))


def _why(item: Item | None, text: domain.KeyText, now: datetime) -> Exception:
    """The error of a key that the table refused. Only the holder of the secret learns about its rate."""
    if item is None:
        return _refused()
    row = store.ApiKey.from_raw_data(item)
    expired = row.expires_at is not None and row.expires_at <= now
    if not hmac.compare_digest(row.secret_hash, text.secret_hash) or row.revoked_at is not None or expired:
        return _refused()
    allowance = domain.allowance_of_ring(domain.KEY_LIMIT, row.taken, _milliseconds(now), exceeded=True)
    return RateLimited(
        f"A key has {domain.KEY_LIMIT.count} requests in any {domain.KEY_LIMIT.seconds} seconds.",
        fix="Wait as long as Retry-After says, then go on.",
        headers=allowance.headers(),
    )


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "The API key is unknown, expired or revoked.",
        headers={"WWW-Authenticate": 'Bearer realm="snapforge", error="invalid_token"'},
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def create_api_key(principal: Principal, body: schemas.ApiKeyCreate) -> schemas.ApiKeyCreated:
    """Make a key for the org. Its text is in the answer and nowhere else. TooManyKeys."""
    return retried(lambda: _create(principal, body))


def _create(principal: Principal, body: schemas.ApiKeyCreate) -> schemas.ApiKeyCreated:
    now = clock.now()
    org = find(store.Org, org_pk(principal.org_id), "org")
    if org is None:
        raise NotFound()
    living = [key for key in store.keys_of(org.org_id) if key.expires_at is None or key.expires_at > now]
    if len(living) >= domain.MAX_KEYS:
        raise TooManyKeys(f"At most {domain.MAX_KEYS} keys live at a time.")
    key_id = ids.new("api_key")
    text = domain.new_key_text(key_id, test_mode=body.mode == "test")
    row = _new_row(principal, body, key_id, text, now)
    tx = Transaction()
    tx.update(
        org,
        [store.Org.keys_version.add(1)],
        store.Org.keys_version == org.keys_version,
        failed=lambda _: Stale(),
    )
    tx.put_new(row, failed=_in_use)
    tx.put_new(
        store.OrgKey(pk=org.pk, sk=f"key#{key_id}", key_id=key_id, expires_at=row.expires_at, ttl=row.ttl),
        failed=_in_use,
    )
    created = events.api_key_created(org_id=org.org_id, key_id=key_id, name=body.name, by=principal.actor)
    outbox.put(tx, store.Outbox, created)
    tx.commit()
    return schemas.ApiKeyCreated(**_told(row), key=text)


def _new_row(principal: Principal, body: schemas.ApiKeyCreate, key_id: str, text: str, now: datetime) -> store.ApiKey:
    parsed = domain.parse_key(text)
    assert parsed is not None  # noqa: S101 - we have just made it
    expires_at = now + timedelta(days=body.expires_in_days) if body.expires_in_days else None
    return store.ApiKey(
        pk=f"key#{key_id}",
        sk="key",
        key_id=key_id,
        org_id=principal.org_id,
        name=body.name,
        prefix=parsed.prefix,
        secret_hash=parsed.secret_hash,
        scopes=" ".join(body.scopes),
        test_mode=parsed.test_mode,
        created_by=principal.actor,
        created_at=now,
        expires_at=expires_at,
        taken=[0] * domain.KEY_LIMIT.count,
        ttl=clock.epoch(expires_at + KEPT_AFTER_END) if expires_at else None,
    )


def list_api_keys(principal: Principal) -> list[schemas.ApiKey]:
    """The org's keys that are not revoked, oldest first. Two calls."""
    found = [key.key_id for key in store.keys_of(principal.org_id)]
    rows = store.key_details(found)
    return [schemas.ApiKey(**_told(rows[key_id])) for key_id in found if key_id in rows]


def revoke_api_key(principal: Principal, key_id: str) -> None:
    """Kill a key at once; again is fine. KeyNotFound when it is absent or another org's."""
    row = store.key_of(principal.org_id, key_id)
    if row.revoked_at is None:
        retried(lambda: _revoke(principal, row))


def _revoke(principal: Principal, row: store.ApiKey) -> None:
    now = clock.now()
    tx = Transaction()
    tx.update(
        row,
        [store.ApiKey.revoked_at.set(now), store.ApiKey.ttl.set(clock.epoch(now + KEPT_AFTER_END))],
        store.ApiKey.revoked_at.does_not_exist() & store.ApiKey.pk.exists(),
        failed=lambda _: _RevokedMeanwhile(),
    )
    tx.delete(store.OrgKey(pk=org_pk(row.org_id), sk=f"key#{row.key_id}"), failed=_in_use)
    revoked = events.api_key_revoked(org_id=row.org_id, key_id=row.key_id, name=row.name, by=principal.actor)
    outbox.put(tx, store.Outbox, revoked)
    try:
        tx.commit()
    except _RevokedMeanwhile:
        return


class _RevokedMeanwhile(Exception):
    """Another request was faster; the outcome is the same."""


def _in_use(_: Item | None) -> Exception:
    return RuntimeError("a new id was in use")


def _told(row: store.ApiKey) -> dict[str, Any]:
    return {
        "id": row.key_id,
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes.split(),
        "mode": "test" if row.test_mode else "live",
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
