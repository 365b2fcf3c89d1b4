"""What identity decides, with plain values: addresses, passwords, tokens, sessions, limits."""

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from snapforge.identity.common_passwords import COMMON
from snapforge.kit import ids
from snapforge.kit.limits import Allowance
from snapforge.kit.permissions import BY_ROLE, OrgRole, Permission

PASSWORD_LENGTH = (10, 200)
VERIFICATION_LIFE = timedelta(hours=24)
ACCESS_LIFE = timedelta(minutes=10)
SESSION_IDLE = timedelta(days=30)
SESSION_LIFE = timedelta(days=90)
GRACE = timedelta(seconds=10)
"""How long the last rotated refresh token still gets the same successor: an answer may have been lost."""
EPOCH_KEPT_SECONDS = 5.0
"""How long a process may trust what it read of a user's standing: a session outlives its end by no more."""
MAX_KEYS = 50
REFRESH_COOKIE = "__Host-sf_refresh"

_EMAIL = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
)
_REFRESH = re.compile(
    rf"({ids.pattern('user')[1:-1]})\.({ids.pattern('session')[1:-1]})\.([\w-]{{22}})\.([\w-]{{43}})",
    re.ASCII,
)
_KEY = re.compile(r"(sf_(live|test)_([0-7][0-9A-HJKMNP-TV-Z]{25}))_([\w-]{43})", re.ASCII)


def sha256(text: str) -> str:
    """Hex. Enough for secrets of 32 random bytes; a password needs Argon2."""
    return hashlib.sha256(text.encode()).hexdigest()


# Addresses


def normalise_email(text: str) -> str:
    """The address to send mail to: trimmed, NFKC, the domain lower-case and in ASCII. ValueError when it is none."""
    local, at, host = unicodedata.normalize("NFKC", text.strip()).rpartition("@")
    try:
        address = local + at + host.lower().encode("idna").decode()
    except UnicodeError as error:
        raise ValueError("this is no e-mail address") from error
    if not _EMAIL.fullmatch(address) or len(address) > 254 or local.startswith(".") or local.endswith("."):
        raise ValueError("this is no e-mail address")
    return address


def email_key(address: str) -> str:
    """What is unique about an address: a hash without case, so that keys and logs hold no personal data."""
    return sha256(address.casefold())


# Passwords


def normalise_password(text: str) -> str:
    """NFKC: the same keys on another keyboard or system are the same password."""
    return unicodedata.normalize("NFKC", text)


def password_fault(password: str, email: str) -> str | None:
    """Why a normalised password is refused, or None. Length and the worst choices only: rules make passwords worse."""
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        return f"A password has {shortest} to {longest} characters."
    plain = password.casefold()
    if plain in COMMON or len(set(plain)) < 4:
        return "This password is among the first that attackers try."
    if plain in {email.casefold(), email.casefold().partition("@")[0]}:
        return "A password must differ from the e-mail address."
    return None


# Standing and permissions

NEED_VERIFICATION = frozenset({Permission.jobs_create, Permission.uploads_write, Permission.keys_manage})
"""What costs us money, or outlives the session, waits for a verified address."""


def permissions_of(role: OrgRole, *, verified: bool) -> frozenset[Permission]:
    """What a user may do in an org."""
    return BY_ROLE[role] if verified else BY_ROLE[role] - NEED_VERIFICATION


@dataclass(frozen=True, slots=True)
class Standing:
    """What can end or change a user's access tokens before they expire."""

    epoch: int
    """Raised by `log out all devices`; tokens and sessions of a lower epoch are dead."""
    ended: Mapping[str, int]
    """Sessions ended one by one → when their last access token expires (epoch seconds)."""
    verified: bool

    def allows(self, epoch: int, session_id: str) -> bool:
        """Whether an access token of that epoch and session still counts."""
        return epoch == self.epoch and session_id not in self.ended


# Refresh tokens


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The secret of a session's next refresh. `family` stays through rotations, `secret` does not."""

    user_id: str
    session_id: str
    family: str
    secret: str

    @property
    def text(self) -> str:
        """As the cookie holds it."""
        return f"{self.user_id}.{self.session_id}.{self.family}.{self.secret}"

    @property
    def hash(self) -> str:
        """Of all of it, so that no part can be altered."""
        return sha256(self.text)

    @property
    def family_hash(self) -> str:
        """Tells a real but rotated token (theft) from an invented one (noise)."""
        return sha256(f"{self.session_id}.{self.family}")

    def successor(self, seed: str) -> "RefreshToken":
        """The next token. It follows from this one and a random seed kept with the session: a client that lost the
        answer can be given the same one again, while the table alone gives nobody a token."""
        mac = hmac.digest(self.secret.encode(), seed.encode(), "sha256")
        return replace(self, secret=base64.urlsafe_b64encode(mac).decode().rstrip("="))


def new_refresh_token(user_id: str, session_id: str) -> RefreshToken:
    """The first token of a family."""
    return RefreshToken(user_id, session_id, secrets.token_urlsafe(16), secrets.token_urlsafe(32))


def parse_refresh_token(text: str) -> RefreshToken | None:
    """None when `text` does not even look like one."""
    found = _REFRESH.fullmatch(text)
    if found is None:
        return None
    user_id, session_id, family, secret = found.groups()
    return RefreshToken(user_id, session_id, family, secret)


@dataclass(frozen=True, slots=True)
class Family:
    """What the table holds of a session."""

    family_hash: str
    current_hash: str
    previous_hash: str | None
    created_at: datetime
    rotated_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class Verdict(StrEnum):
    """What to do with a refresh token."""

    rotate = "rotate"
    again = "again"
    """Give the same successor: it was rotated within GRACE, and the successor has not been used since (using it would
    have made *it* the previous one), so the client lost the answer."""
    reused = "reused"
    """Real, but rotated away: two parties hold this family, so it ends."""
    over = "over"
    unknown = "unknown"
    """Invented: no reason to end anything."""


def judge(token: RefreshToken, family: Family, now: datetime) -> Verdict:
    """What a token is worth to its family now."""
    if not hmac.compare_digest(token.family_hash, family.family_hash):
        return Verdict.unknown
    if family.revoked_at is not None or family.expires_at <= now:
        return Verdict.over
    if token.hash == family.current_hash:
        return Verdict.rotate
    if token.hash == family.previous_hash and now - family.rotated_at <= GRACE:
        return Verdict.again
    return Verdict.reused


def session_expiry(created_at: datetime, now: datetime) -> datetime:
    """When a session used now ends if it is not used again."""
    return min(now + SESSION_IDLE, created_at + SESSION_LIFE)


def refresh_cookie(token: RefreshToken | None) -> str:
    """A whole Set-Cookie value; None clears it. `__Host-` binds it to this host, Strict keeps other sites out."""
    value, age = (token.text, int(SESSION_IDLE.total_seconds())) if token else ("", 0)
    return f"{REFRESH_COOKIE}={value}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Strict"


def is_same_site(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a request that acts by its cookie comes from our own page.

    A form on another site can set neither the header nor, on its own, escape SameSite; a script there would need our
    CORS, which nobody has; and where a browser names its `Origin`, it must be ours. `headers` has lower-case names.
    """
    if headers.get("x-requested-with") != "snapforge":
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    ours = urlsplit(public_url)
    return origin.lower() == f"{ours.scheme}://{ours.netloc}".lower()


# API keys


@dataclass(frozen=True, slots=True)
class KeyText:
    """An API key as its holder sends it: `sf_live_<ULID>_<secret>`."""

    prefix: str
    key_id: str
    secret_hash: str
    test_mode: bool


def new_key_text(key_id: str, *, test_mode: bool) -> str:
    """A fresh key; 32 random bytes, so that a plain SHA-256 guards it."""
    mode = "test" if test_mode else "live"
    return f"sf_{mode}_{key_id.removeprefix(ids.PREFIXES['api_key'] + '_')}_{secrets.token_urlsafe(32)}"


def parse_key(text: str) -> KeyText | None:
    """None when `text` does not look like a key."""
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    prefix, mode, ulid, _ = found.groups()
    return KeyText(prefix, f"{ids.PREFIXES['api_key']}_{ulid}", sha256(text), mode == "test")


# Limits


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so many seconds."""

    count: int
    seconds: int


KEY_LIMIT = Limit(60, 10)
"""In any ten seconds: a sliding window, exact."""
COUNTED = {
    "login": Limit(30, 300),
    "signup": Limit(20, 3600),
    "verify": Limit(30, 300),
    "resend": Limit(20, 3600),
    "mail": Limit(5, 3600),
}
"""Fixed windows. By the caller's address, except `mail`: by the mail address, so that nobody floods a mailbox."""


def address_bucket(address: str) -> str:
    """Whom a limit counts: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return sha256(address)[:32]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def window_of(limit: Limit, now: datetime) -> int:
    """The number of the fixed window that `now` lies in."""
    return int(now.timestamp()) // limit.seconds


def allowance_of_count(limit: Limit, counted: int, now: datetime) -> Allowance:
    """After the `counted`-th request of a fixed window."""
    return Allowance(
        limit=limit.count,
        remaining=max(0, limit.count - counted),
        reset_seconds=limit.seconds - int(now.timestamp()) % limit.seconds,
        exceeded=counted > limit.count,
    )


def allowance_of_ring(limit: Limit, taken: Sequence[int], now: int, *, exceeded: bool = False) -> Allowance:
    """From the moments (milliseconds) of the last `limit.count` requests, oldest first, and the present one."""
    since = now - limit.seconds * 1000
    counting = [moment for moment in taken if moment > since]
    wait = min(counting, default=now) - since
    return Allowance(
        limit=limit.count,
        remaining=0 if exceeded else limit.count - len(counting),
        reset_seconds=max(1, -(-wait // 1000)),
        exceeded=exceeded,
    )
