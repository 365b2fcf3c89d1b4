"""The identity table.

Rows and their keys:
- `email#<hash of the address>` / `email`: who has the address (uniqueness; looked up at login)
- `user#<user>` / `epoch` (Standing), `member#<org>` (Membership), `profile` (User), `session#<session>` (Session):
  the first three in one Query at login (`sk < session#`), Standing alone to check access tokens
- `verify#<hash of the token>` / `verify`: a pending verification
- `org#<org>` / `org` (Org), `key#<key>` (OrgKey, one per key that is not revoked): a Query lists an org's keys
- `key#<key>` / `key` (ApiKey): authenticated, counted and stamped by one UpdateItem
- `count#<action>#<whom>` / `window#<number>` (Counter): fixed-window limits
- `outbox#<event>` / `outbox`
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    UnicodeAttribute,
)
from pynamodb.constants import LIST, MAP

from snapforge.aws import outbox, tables
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute
from snapforge.aws.tables import org_pk
from snapforge.identity import domain
from snapforge.identity.errors import KeyNotFound
from snapforge.kit.permissions import OrgRole


class NumbersByName(Attribute[dict[str, int]]):
    """A map of whole numbers."""

    attr_type = MAP

    def serialize(self, value: dict[str, int]) -> dict[str, Any]:
        """To DynamoDB's typed form."""
        return {name: {"N": str(number)} for name, number in value.items()}

    def deserialize(self, value: dict[str, Any]) -> dict[str, int]:
        """From DynamoDB's typed form."""
        return {name: int(number["N"]) for name, number in value.items()}


class Numbers(Attribute[list[int]]):
    """A list of whole numbers."""

    attr_type = LIST

    def serialize(self, value: list[int]) -> list[Any]:
        """To DynamoDB's typed form."""
        return [{"N": str(number)} for number in value]

    def deserialize(self, value: list[Any]) -> list[int]:
        """From DynamoDB's typed form."""
        return [int(number["N"]) for number in value]


class IdentityRow(tables.Row):
    """Any row of the table."""

    class Meta:
        context = "identity"

    cls = DiscriminatorAttribute()


class Outbox(outbox.OutboxRow, discriminator="Outbox"):
    """Events of identity on their way out."""

    cls = DiscriminatorAttribute()

    class Meta:
        context = "identity"


class EmailClaim(IdentityRow, discriminator="EmailClaim"):
    """An address belongs to one user."""

    user_id = UnicodeAttribute()


class User(IdentityRow, discriminator="User"):
    """A person who signs in."""

    user_id = UnicodeAttribute()
    email = UnicodeAttribute()
    name = UnicodeAttribute()
    locale = UnicodeAttribute()
    password_hash = UnicodeAttribute()
    org_id = UnicodeAttribute()
    """The personal org."""
    created_at = TimestampAttribute()
    verified_at = TimestampAttribute(null=True)


class Standing(IdentityRow, discriminator="Standing"):
    """What ends a user's tokens early; small, since every warm process reads it."""

    epoch = IntegerAttribute()
    ended = NumbersByName()
    verified = BooleanAttribute()


class Membership(IdentityRow, discriminator="Membership"):
    """A user's role in an org."""

    org_id = UnicodeAttribute()
    role = UnicodeAttribute()


class Session(IdentityRow, discriminator="Session"):
    """A family of refresh tokens: one login on one device."""

    session_id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    role = UnicodeAttribute()
    epoch = IntegerAttribute()
    """The user's at login; a later one ends the session."""
    family_hash = UnicodeAttribute()
    current_hash = UnicodeAttribute()
    previous_hash = UnicodeAttribute(null=True)
    seed = UnicodeAttribute(null=True)
    """From which the current token followed out of the previous one."""
    created_at = TimestampAttribute()
    rotated_at = TimestampAttribute()
    expires_at = TimestampAttribute()
    revoked_at = TimestampAttribute(null=True)
    address = UnicodeAttribute()
    user_agent = UnicodeAttribute()


class Verification(IdentityRow, discriminator="Verification"):
    """One mail with a link. It carries the password chosen with it, so that a link opens an account only to the one
    who asked for *that* link, not to a stranger who signed up with the address before."""

    user_id = UnicodeAttribute()
    password_hash = UnicodeAttribute()
    name = UnicodeAttribute()
    expires_at = TimestampAttribute()


class Org(IdentityRow, discriminator="Org"):
    """An organisation; each user has a personal one."""

    org_id = UnicodeAttribute()
    name = UnicodeAttribute()
    owner_id = UnicodeAttribute()
    personal = BooleanAttribute()
    created_at = TimestampAttribute()
    keys_version = IntegerAttribute(default=0)
    """Counts changes of the org's keys, so that two requests cannot both make the last allowed one."""


class OrgKey(IdentityRow, discriminator="OrgKey"):
    """Points from an org to one of its keys; gone when the key is revoked."""

    key_id = UnicodeAttribute()
    expires_at = TimestampAttribute(null=True)


class ApiKey(IdentityRow, discriminator="ApiKey"):
    """An API key."""

    key_id = UnicodeAttribute()
    org_id = UnicodeAttribute()
    name = UnicodeAttribute()
    prefix = UnicodeAttribute()
    secret_hash = UnicodeAttribute()
    scopes = UnicodeAttribute()
    """Joined by spaces."""
    test_mode = BooleanAttribute()
    created_by = UnicodeAttribute()
    created_at = TimestampAttribute()
    expires_at = TimestampAttribute(null=True)
    revoked_at = TimestampAttribute(null=True)
    last_used_at = TimestampAttribute(null=True)
    taken = Numbers()
    """When (milliseconds) the last KEY_LIMIT.count requests came, oldest first: a ring that every request turns."""


class Counter(IdentityRow, discriminator="Counter"):
    """How often something was tried in a window."""

    tries = IntegerAttribute()


def user_pk(user_id: str) -> str:
    """The partition of all that is a user's."""
    return f"user#{user_id}"


def claim_of(email: str) -> EmailClaim | None:
    """Who has an address."""
    return tables.find(EmailClaim, f"email#{domain.email_key(email)}", "email")


def user_of(user_id: str) -> User | None:
    """The user's profile."""
    return tables.find(User, user_pk(user_id), "profile")


def standing_of(user_id: str) -> domain.Standing | None:
    """The user's standing, read consistently."""
    row = tables.find(Standing, user_pk(user_id), "epoch")
    return None if row is None else as_standing(row)


def as_standing(row: Standing) -> domain.Standing:
    """The plain value of a row."""
    return domain.Standing(row.epoch, row.ended, row.verified)


def login_rows(user_id: str) -> tuple[User | None, Standing | None, Membership | None]:
    """What a login needs, in one Query: the user, the standing and the membership in the personal org."""
    found = list(IdentityRow.query(user_pk(user_id), IdentityRow.sk < "session#", consistent_read=True))
    user = next((row for row in found if isinstance(row, User)), None)
    standing = next((row for row in found if isinstance(row, Standing)), None)
    member = next((row for row in found if isinstance(row, Membership) and user and row.org_id == user.org_id), None)
    return user, standing, member


def session_rows(user_id: str, session_id: str) -> tuple[Session | None, Standing | None]:
    """A session and its user's standing, in one call."""
    pk = user_pk(user_id)
    found = list(IdentityRow.batch_get([(pk, f"session#{session_id}"), (pk, "epoch")], consistent_read=True))
    session = next((row for row in found if isinstance(row, Session)), None)
    return session, next((row for row in found if isinstance(row, Standing)), None)


def who(user_id: str | None, org_id: str) -> tuple[User | None, Org | None, Membership | None]:
    """A user, an org, and what the one is in the other, in one call."""
    wanted = [(org_pk(org_id), "org")]
    if user_id:
        wanted += [(user_pk(user_id), "profile"), (user_pk(user_id), f"member#{org_id}")]
    found = list(IdentityRow.batch_get(wanted, consistent_read=True))
    return (
        next((row for row in found if isinstance(row, User)), None),
        next((row for row in found if isinstance(row, Org)), None),
        next((row for row in found if isinstance(row, Membership)), None),
    )


def as_family(row: Session) -> domain.Family:
    """The plain value of a session row."""
    return domain.Family(
        family_hash=row.family_hash,
        current_hash=row.current_hash,
        previous_hash=row.previous_hash,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def new_account(
    *, user_id: str, org_id: str, email: str, name: str, locale: str, password_hash: str, now: datetime
) -> Sequence[IdentityRow]:
    """The rows of a new user, the EmailClaim first."""
    return (
        EmailClaim(pk=f"email#{domain.email_key(email)}", sk="email", user_id=user_id),
        User(
            pk=user_pk(user_id),
            sk="profile",
            user_id=user_id,
            email=email,
            name=name,
            locale=locale,
            password_hash=password_hash,
            org_id=org_id,
            created_at=now,
        ),
        Standing(pk=user_pk(user_id), sk="epoch", epoch=1, ended={}, verified=False),
        Membership(pk=user_pk(user_id), sk=f"member#{org_id}", org_id=org_id, role=OrgRole.owner.value),
        Org(
            pk=org_pk(org_id),
            sk="org",
            org_id=org_id,
            name=name,
            owner_id=user_id,
            personal=True,
            created_at=now,
            keys_version=0,
        ),
    )


def count(action: str, whom: str, now: datetime) -> int:
    """Count one more try in the present window; returns how many there were. One UpdateItem."""
    limit = domain.COUNTED[action]
    window = domain.window_of(limit, now)
    row = Counter(pk=f"count#{action}#{whom}", sk=f"window#{window}")
    row.update(
        actions=[
            Counter.tries.add(1),
            Counter.cls.set(Counter),
            Counter.ttl.set((window + 2) * limit.seconds),
        ]
    )
    return row.tries


def keys_of(org_id: str) -> list[OrgKey]:
    """The org's keys that are not revoked, oldest first."""
    return list(OrgKey.query(org_pk(org_id), OrgKey.sk.startswith("key#"), consistent_read=True))


def key_details(key_ids: Sequence[str]) -> dict[str, ApiKey]:
    """The keys' own rows, by id."""
    rows = ApiKey.batch_get([(f"key#{key_id}", "key") for key_id in key_ids], consistent_read=True)
    return {row.key_id: row for row in rows}


def key_of(org_id: str, key_id: str) -> ApiKey:
    """A key of this org; KeyNotFound when absent or another org's."""
    row = tables.find(ApiKey, f"key#{key_id}", "key")
    if row is None or row.org_id != org_id:
        raise KeyNotFound()
    return row
