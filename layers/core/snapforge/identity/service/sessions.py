"""Log in, refresh, log out; and who an access token stands for."""

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pynamodb.expressions.update import Action

from snapforge.aws import outbox, settings
from snapforge.aws.tables import Stale, Transaction, find, retried, update
from snapforge.identity import domain, events, schemas, store
from snapforge.identity.errors import ForeignOrigin, RefreshReused, SessionOver, WrongCredentials
from snapforge.identity.service import access_tokens, passwords
from snapforge.identity.service.access_tokens import Claims
from snapforge.kit import clock, ids
from snapforge.kit.errors import Unauthenticated
from snapforge.kit.events import Event
from snapforge.kit.permissions import OrgRole, Principal

_NOBODY = "usr_00000000000000000000000000"
_MAX_ENDED = 50
"""Logouts kept one by one; far more than anybody makes within the life of an access token."""
_MAX_CACHED = 10_000
_standings: dict[str, tuple[float, domain.Standing | None]] = {}


@dataclass(frozen=True, slots=True)
class Opened:
    """An open session: what the client gets to read, and its cookie."""

    body: schemas.AccessToken
    cookie: str


class _AlreadyEnded(Exception):
    """Somebody else ended the session first."""


class _Renewed(Exception):
    """Somebody else stored another password hash first."""


def principal_of_session(token: str) -> Principal:
    """Whom an access token names, with what they may do in its org. Unauthenticated when it is not valid, or no longer.

    No AWS call, but one GetItem per user and process in five seconds: so soon does a logout reach every process.
    """
    claims = access_tokens.read(token)
    standing = _standing(claims.user_id)
    if standing is None or not standing.allows(claims.epoch, claims.session_id):
        raise Unauthenticated("This session is over.", fix="Log in again.", headers=access_tokens.CHALLENGE)
    return Principal(
        org_id=claims.org_id,
        permissions=domain.permissions_of(claims.role, verified=standing.verified),
        user_id=claims.user_id,
        session_id=claims.session_id,
    )


def log_in(body: schemas.LogIn, *, address: str, user_agent: str) -> Opened:
    """Open a session; WrongCredentials after the same time and calls whether address or password is wrong."""
    claim = store.claim_of(body.email)
    user, standing, member = store.login_rows(claim.user_id if claim else _NOBODY)
    fits = passwords.fits(body.password, user.password_hash if user else None)
    if user is None or standing is None or member is None or not fits:
        raise WrongCredentials()
    if passwords.is_outdated(user.password_hash):
        _rehash(user, body.password)
    now = clock.now()
    token = domain.new_refresh_token(user.user_id, ids.new("session"))
    expires_at = domain.session_expiry(now, now)
    row = store.Session(
        pk=store.user_pk(user.user_id),
        sk=f"session#{token.session_id}",
        session_id=token.session_id,
        org_id=user.org_id,
        role=member.role,
        epoch=standing.epoch,
        family_hash=token.family_hash,
        current_hash=token.hash,
        created_at=now,
        rotated_at=now,
        expires_at=expires_at,
        address=address,
        user_agent=user_agent,
        ttl=clock.epoch(expires_at),
    )
    row.save()
    return _opened(row, token, verified=standing.verified)


def refresh(cookies: Mapping[str, str], headers: Mapping[str, str]) -> Opened:
    """A new access token, and the next refresh token.

    Errors: ForeignOrigin; SessionOver; RefreshReused, which has ended the session. A token rotated within
    `domain.GRACE`, whose successor nobody has used, gets that same successor again: the answer was lost.
    """
    token = _cookie_token(cookies, headers)
    if token is None:
        raise SessionOver("There is no refresh token in the cookie.")
    return retried(lambda: _refresh(token))


def _refresh(token: domain.RefreshToken) -> Opened:
    row, standing = store.session_rows(token.user_id, token.session_id)
    if row is None or standing is None or row.epoch != standing.epoch:
        raise SessionOver()
    match domain.judge(token, store.as_family(row), clock.now()):
        case domain.Verdict.rotate:
            return _opened(row, _rotate(row, token), verified=standing.verified)
        case domain.Verdict.again if row.seed is not None:
            return _opened(row, token.successor(row.seed), verified=standing.verified)
        case domain.Verdict.reused:
            _end(row, events.session_reused(org_id=row.org_id, user_id=token.user_id, session_id=row.session_id))
            raise RefreshReused()
    raise SessionOver()


def _rotate(row: store.Session, token: domain.RefreshToken) -> domain.RefreshToken:
    """Make the next token the current one, if nothing has changed since `row` was read (Stale otherwise)."""
    seed, now = secrets.token_urlsafe(16), clock.now()
    successor = token.successor(seed)
    expires_at = domain.session_expiry(row.created_at, now)
    tx = Transaction()
    tx.check(store.Standing, row.pk, "epoch", store.Standing.epoch == row.epoch, failed=lambda _: SessionOver())
    tx.update(
        row,
        [
            store.Session.current_hash.set(successor.hash),
            store.Session.previous_hash.set(token.hash),
            store.Session.seed.set(seed),
            store.Session.rotated_at.set(now),
            store.Session.expires_at.set(expires_at),
            store.Session.ttl.set(clock.epoch(expires_at)),
        ],
        (store.Session.current_hash == token.hash) & store.Session.revoked_at.does_not_exist(),
        failed=lambda _: Stale(),
    )
    tx.commit()
    return successor


def log_out(cookies: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """End the session of the cookie, whatever state it is in; returns the cookie that clears it. ForeignOrigin."""
    token = _cookie_token(cookies, headers)
    if token is not None:
        row = find(store.Session, store.user_pk(token.user_id), f"session#{token.session_id}")
        if row is not None and row.family_hash == token.family_hash:
            _end(row, None)
    return domain.refresh_cookie(None)


def log_out_all_devices(principal: Principal) -> str:
    """End every session of the user; returns the cookie that clears this one's."""
    user_id = str(principal.user_id)
    store.Standing(pk=store.user_pk(user_id), sk="epoch").update(
        actions=[store.Standing.epoch.add(1), store.Standing.ended.set({})],
        condition=store.Standing.pk.exists(),
    )
    _standings.pop(user_id, None)
    return domain.refresh_cookie(None)


def _end(row: store.Session, event: Event | None) -> None:
    """End one session, and its access tokens, in one transaction. That it has ended already is fine."""
    user_id = row.pk.removeprefix("user#")
    try:
        retried(lambda: _end_once(row, event))
    except _AlreadyEnded:
        return
    finally:
        _standings.pop(user_id, None)


def _end_once(row: store.Session, event: Event | None) -> None:
    now = clock.now()
    dead_by = clock.epoch(now + domain.ACCESS_LIFE) + 60
    standing = find(store.Standing, row.pk, "epoch")
    if standing is None:
        raise _AlreadyEnded
    kept = {name: until for name, until in standing.ended.items() if until > clock.epoch(now)}
    tx = Transaction()
    tx.update(
        row,
        [store.Session.revoked_at.set(now)],
        store.Session.revoked_at.does_not_exist() & store.Session.pk.exists(),
        failed=lambda _: _AlreadyEnded(),
    )
    actions: list[Action] = [store.Standing.ended.set({**kept, row.session_id: dead_by})]
    if len(kept) >= _MAX_ENDED:
        actions = [store.Standing.ended.set({}), store.Standing.epoch.add(1)]
    tx.update(standing, actions, store.Standing.ended == standing.ended, failed=lambda _: Stale())
    if event is not None:
        outbox.put(tx, store.Outbox, event)
    tx.commit()


def _opened(row: store.Session, token: domain.RefreshToken, *, verified: bool) -> Opened:
    user_id = row.pk.removeprefix("user#")
    claims = Claims(user_id, row.org_id, row.session_id, OrgRole(row.role), row.epoch)
    body = schemas.AccessToken(
        access_token=access_tokens.issue(claims),
        expires_in=int(domain.ACCESS_LIFE.total_seconds()),
        user_id=user_id,
        org_id=row.org_id,
        email_verified=verified,
    )
    return Opened(body, domain.refresh_cookie(token))


def _cookie_token(cookies: Mapping[str, str], headers: Mapping[str, str]) -> domain.RefreshToken | None:
    if not domain.is_same_site(headers, settings.get("PUBLIC_URL")):
        raise ForeignOrigin()
    return domain.parse_refresh_token(cookies.get(domain.REFRESH_COOKIE, ""))


def _standing(user_id: str) -> domain.Standing | None:
    """The user's standing, at most EPOCH_KEPT_SECONDS old."""
    now = time.monotonic()
    found = _standings.get(user_id)
    if found is None or now - found[0] >= domain.EPOCH_KEPT_SECONDS:
        if len(_standings) >= _MAX_CACHED:
            _standings.clear()
        found = (now, store.standing_of(user_id))
        _standings[user_id] = found
    return found[1]


def _rehash(user: store.User, password: str) -> None:
    """Store the password with today's parameters, unless it was changed meanwhile."""
    renewed = store.User.password_hash.set(passwords.hash_of(password))
    with suppress(_Renewed):
        update(user, [renewed], store.User.password_hash == user.password_hash, failed=lambda _: _Renewed())
