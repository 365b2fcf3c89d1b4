"""Quotes: a price, promised for a while. A compact JWS, so that honouring one needs no table."""

from datetime import datetime, timedelta
from typing import Any

from snapforge.kit import clock
from snapforge.kit.schema import Schema

VALID = timedelta(minutes=15)
AUDIENCE = "snapforge-quote"
_ALGORITHM = "HS256"


class Quote(Schema):
    """What was promised. `order` is the order's fingerprint; photos and capture_version are of a scene's capture."""

    org: str
    kind: str
    request: str
    credits: int
    capture_version: int | None = None
    photos: int | None = None


def sign(quote: Quote, key: str, now: datetime) -> str:
    """The token, valid for VALID from now."""
    import jwt

    claims = quote.model_dump(exclude_none=True) | {
        "aud": AUDIENCE,
        "iat": clock.epoch(now),
        "exp": clock.epoch(now + VALID),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(token: str, keys: list[str], now: datetime) -> Quote | None:
    """The promise, or None: forged, expired, or no quote at all. `keys`: two are valid while rotating."""
    import jwt

    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                # Time is judged by our one clock, below.
                options={"require": ["exp", "iat", "aud"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            continue
        if clock.epoch(now) >= claims["exp"]:
            return None
        return Quote.model_validate({name: claims[name] for name in Quote.model_fields if name in claims})
    return None
