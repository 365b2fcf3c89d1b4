"""Idempotency records: written in the transaction of the work they guard, replayed by `http.endpoint`.

A record lies in the table of the context that does the work, so that one TransactWrite holds both.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from snapforge.aws import tables
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute
from snapforge.kit import clock
from snapforge.kit.errors import Problem

KEPT = timedelta(hours=24)


class KeyReused(Problem):
    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used with another body"
    fix = "Use a new key for new work; repeat a key only with exactly the same request."


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key in its scope, with the fingerprint of the request."""

    org_id: str
    route: str
    key: str
    fingerprint: str

    @property
    def pk(self) -> str:
        """The partition of the record: the scope and a hash of the client's text."""
        return f"idem#{self.org_id}#{hashlib.sha256(f'{self.route}|{self.key}'.encode()).hexdigest()[:40]}"


class IdempotencyRow(tables.Row):
    """The answer that was given. A context subclasses it with its own `Meta.context` and `cls`."""

    fingerprint = UnicodeAttribute()
    status = IntegerAttribute()
    body = UnicodeAttribute()
    headers = UnicodeAttribute()
    expires_at = TimestampAttribute()


class Replay(Exception):
    """The work was done before: here is its answer. Caught by `http.endpoint` only."""

    def __init__(self, status: int, body: str, headers: dict[str, str]) -> None:
        super().__init__("replayed")
        self.status = status
        self.body = body
        self.headers = headers


def fingerprint(method: str, path: str, body: bytes) -> str:
    """The SHA-256 of what was asked."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


def put(
    tx: tables.Transaction,
    row: type[IdempotencyRow],
    key: IdempotencyKey,
    *,
    status: int,
    body: str,
    headers: dict[str, str],
) -> None:
    """Add the record, first of the transaction's parts: if it exists, the commit raises Replay or KeyReused.

    A record past its 24 h does not count, whether DynamoDB has deleted it yet or not.
    """
    now = clock.now()

    def failed(old: dict[str, Any] | None) -> Exception:
        if old is None or old["fingerprint"]["S"] != key.fingerprint:
            return KeyReused()
        return Replay(int(old["status"]["N"]), old["body"]["S"], json.loads(old["headers"]["S"]))

    tx.put(
        row(
            pk=key.pk,
            sk="idem",
            fingerprint=key.fingerprint,
            status=status,
            body=body,
            headers=json.dumps(headers),
            expires_at=now + KEPT,
            ttl=clock.epoch(now + KEPT),
        ),
        row.pk.does_not_exist() | (row.expires_at < now),
        failed=failed,
    )


def recall(row: type[IdempotencyRow], key: IdempotencyKey) -> None:
    """Raise Replay or KeyReused where a record stands. One GetItem.

    For work that was refused before its transaction: what refuses it now may be what the first request did.
    """
    found = tables.find(row, key.pk, "idem")
    if found is None or found.expires_at < clock.now():
        return
    if found.fingerprint != key.fingerprint:
        raise KeyReused()
    raise Replay(found.status, found.body, json.loads(found.headers))
