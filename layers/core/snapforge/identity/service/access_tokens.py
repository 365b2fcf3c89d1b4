"""Access tokens: JWT, HS256, ten minutes, signed with a key ring so that keys change without logging anyone out.

The ring is the secret `session-keys`: `{"current": {"kid", "key"}, "previous": {"kid", "key"} | null}`. To rotate, move
`current` to `previous` and put a new one in; after ten minutes `previous` may go.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from snapforge.aws import secrets, settings
from snapforge.identity import domain
from snapforge.kit import clock
from snapforge.kit.errors import Unauthenticated
from snapforge.kit.permissions import OrgRole

AUDIENCE = "snapforge-api"
TYPE = "at+jwt"
MAX_LENGTH = 2048
SECRET = "session-keys"  # noqa: S105 - the secret's name
_UNKNOWN_KID_REREAD_SECONDS = 10.0
_CLAIMS = ("exp", "iat", "iss", "aud", "sub", "org", "sid", "role", "ep")


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a valid token names."""

    user_id: str
    org_id: str
    session_id: str
    role: OrgRole
    epoch: int


def issue(claims: Claims) -> str:
    """A token of ACCESS_LIFE."""
    import jwt

    key = secrets.read(SECRET)["current"]
    now = clock.now()
    payload = {
        "iss": _issuer(),
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + domain.ACCESS_LIFE,
        "sub": claims.user_id,
        "org": claims.org_id,
        "sid": claims.session_id,
        "role": claims.role.value,
        "ep": claims.epoch,
    }
    return jwt.encode(payload, key["key"], algorithm="HS256", headers={"kid": key["kid"], "typ": TYPE})


def read(token: str) -> Claims:
    """What a token says, once its signature, times, issuer and audience hold; Unauthenticated otherwise."""
    import jwt

    try:
        if len(token) > MAX_LENGTH:
            raise jwt.InvalidTokenError("too long")
        header = _header(token)
        if header.get("typ") != TYPE:
            raise jwt.InvalidTokenError("another kind of token")
        payload: dict[str, Any] = jwt.decode(
            token,
            _key(str(header.get("kid"))),
            algorithms=["HS256"],
            audience=AUDIENCE,
            issuer=_issuer(),
            # Hosts' clocks differ: a token may reach one for which it was issued a moment in the future.
            options={"require": list(_CLAIMS), "verify_iat": False},
        )
        return Claims(
            user_id=payload["sub"],
            org_id=payload["org"],
            session_id=payload["sid"],
            role=OrgRole(payload["role"]),
            epoch=int(payload["ep"]),
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Unauthenticated("The access token is not valid, or no longer.", headers=CHALLENGE) from error


def _header(token: str) -> dict[str, Any]:
    """The header alone, to find the key. PyJWT's own reader decodes all three parts, and `decode` does so again: a
    fifth of what a poll costs. ValueError for none.
    """
    first = token.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    if not isinstance(header, dict):
        raise ValueError("a header is an object")  # noqa: TRY004 - as every other broken token
    return header


CHALLENGE = {"WWW-Authenticate": 'Bearer realm="snapforge", error="invalid_token"'}


def _key(kid: str) -> str:
    """The key of that id. An unknown one may be newer than what this process has cached."""
    import jwt

    for at_most in (secrets.KEPT_SECONDS, _UNKNOWN_KID_REREAD_SECONDS):
        for key in secrets.read(SECRET, at_most=at_most).values():
            if key is not None and key["kid"] == kid:
                return str(key["key"])
    raise jwt.InvalidTokenError("unknown key")


def _issuer() -> str:
    """A token of one stage is none in another."""
    return f"snapforge-{settings.get('STAGE')}"
