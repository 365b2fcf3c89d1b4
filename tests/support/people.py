"""Who may come in: verified members with a token, and keys with chosen scopes. One sign-up serves a whole session."""

from dataclasses import dataclass
from functools import cache

from snapforge.identity import schemas
from snapforge.identity.service import keys
from snapforge.kit.permissions import KEY_SCOPES, Permission
from tests.core.identity import people


@dataclass(frozen=True)
class Person:
    """An org and what to send as `Authorization: Bearer`."""

    org_id: str
    token: str


@cache
def member(scopes: frozenset[Permission] | None = None) -> Person:
    """An owner's session, or with `scopes` an API key that has those of them that keys can have."""
    opened = _owner().opened.body
    if scopes is None:
        return Person(opened.org_id, opened.access_token)
    wanted = sorted(scopes & KEY_SCOPES)
    made = keys.create_api_key(_owner().principal, schemas.ApiKeyCreate(name="tests", scopes=wanted))
    return Person(opened.org_id, made.key)


@cache
def _owner() -> people.Somebody:
    return people.verified()
