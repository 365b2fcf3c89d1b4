"""What identity tells the other contexts."""

from snapforge.kit import ids
from snapforge.kit.events import Event

_USER = {"user_id": ids.example("user"), "email": "ada@example.com", "name": "Ada Lovelace", "locale": "en"}
_KEY = {"key_id": ids.example("api_key"), "name": "Nightly renders", "by": ids.example("user")}
EXAMPLES = {
    "user.signed_up": _USER,
    "user.verification_requested": _USER | {"token": "sfv_Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCB0b2s"},
    "user.signup_repeated": _USER,
    "session.reuse_detected": {"user_id": ids.example("user"), "session_id": ids.example("session")},
    "api_key.created": _KEY,
    "api_key.revoked": _KEY,
}
"""An event's data by its type: the sample events are made of it."""


def verification_requested(*, org_id: str, user_id: str, email: str, name: str, locale: str, token: str) -> Event:
    """A mail with a link is due. The token is in the open here: it opens nothing but the verification of this very
    address, once, for a day, and whoever can read the bus can read the mail as well."""
    data = {"user_id": user_id, "email": email, "name": name, "locale": locale, "token": token}
    return Event(type="user.verification_requested", org_id=org_id, data=data)


def signup_repeated(*, org_id: str, user_id: str, email: str, name: str, locale: str) -> Event:
    """Somebody signed up with the address of a verified user: a mail tells its owner, the API tells nobody."""
    data = {"user_id": user_id, "email": email, "name": name, "locale": locale}
    return Event(type="user.signup_repeated", org_id=org_id, data=data)


def signed_up(*, org_id: str, user_id: str, email: str, name: str, locale: str) -> Event:
    """The address is verified: from now on this is a user (and gets the sign-up grant)."""
    data = {"user_id": user_id, "email": email, "name": name, "locale": locale}
    return Event(type="user.signed_up", org_id=org_id, data=data)


def session_reused(*, org_id: str, user_id: str, session_id: str) -> Event:
    """A rotated refresh token came back, and the session was ended."""
    return Event(type="session.reuse_detected", org_id=org_id, data={"user_id": user_id, "session_id": session_id})


def api_key_created(*, org_id: str, key_id: str, name: str, by: str) -> Event:
    """The org has a new API key."""
    return Event(type="api_key.created", org_id=org_id, data={"key_id": key_id, "name": name, "by": by})


def api_key_revoked(*, org_id: str, key_id: str, name: str, by: str) -> Event:
    """An API key is dead."""
    return Event(type="api_key.revoked", org_id=org_id, data={"key_id": key_id, "name": name, "by": by})
