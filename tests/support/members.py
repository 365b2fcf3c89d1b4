"""Who may come in: verified members with a token, and keys with chosen scopes. One sign-up serves a whole session."""

import time
from dataclasses import dataclass
from functools import cache

from snapforge.identity import schemas
from snapforge.identity.domain import ACCESS_LIFE
from snapforge.identity.service import keys, sessions
from snapforge.kit.permissions import KEY_SCOPES, Permission, Principal
from tests.support import people


@dataclass(frozen=True)
class Person:
    """An org and what to send as `Authorization: Bearer`."""

    org_id: str
    token: str


def of(org_id: str) -> Principal:
    """Somebody of an org, for calling a service as an endpoint does that let them in."""
    return Principal(org_id=org_id, permissions=frozenset(Permission))


def member(scopes: frozenset[Permission] | None = None) -> Person:
    """An owner's session, or with `scopes` an API key that has those of them that keys can have."""
    return _session() if scopes is None else _api_key(scopes)


@cache
def _api_key(scopes: frozenset[Permission]) -> Person:
    owner = people.log_in(_email())
    principal = sessions.principal_of_session(owner.body.access_token)
    wanted = sorted(scopes & KEY_SCOPES)
    made = keys.create_api_key(principal, schemas.ApiKeyCreate(name="tests", scopes=wanted))
    return Person(owner.body.org_id, made.key)


def _session() -> Person:
    """Renewed at half of an access token's life: a run of all tests lasts longer than one."""
    return _session_of(int(time.monotonic() / (ACCESS_LIFE.total_seconds() / 2)))


@cache
def _session_of(half_life: int) -> Person:
    opened = people.log_in(_email()).body
    return Person(opened.org_id, opened.access_token)


def own_session() -> Person:
    """A new session of another owner, for a test that may end it: no other test's ends with it."""
    opened = people.log_in(_another_email()).body
    return Person(opened.org_id, opened.access_token)


@cache
def _email() -> str:
    return people.verified().email


@cache
def _another_email() -> str:
    return people.verified().email
