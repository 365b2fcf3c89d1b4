"""What identity's endpoints take and give."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from snapforge.identity import domain
from snapforge.kit.ids import KeyId, OrgId, UserId
from snapforge.kit.permissions import KEY_SCOPES, OrgRole, Permission
from snapforge.kit.schema import Schema, Timestamp

Email = Annotated[
    str,
    Field(min_length=6, max_length=254, examples=["ada@example.com"], json_schema_extra={"format": "email"}),
    AfterValidator(domain.normalise_email),
]
Password = Annotated[
    str, Field(max_length=1000, examples=["correct horse battery"], json_schema_extra={"format": "password"})
]
PersonName = Annotated[
    str,
    # A name goes into mails to an address that is not yet known to be the sender's: no links, no markup.
    Field(
        min_length=1,
        max_length=60,
        pattern=r"^[^\s\x00-\x1f\x7f<>@:/\\](?:[^\x00-\x1f\x7f<>@:/\\]*[^\s\x00-\x1f\x7f<>@:/\\])?$",
        examples=["Ada Lovelace"],
    ),
]
Locale = Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$", examples=["en", "de-AT"])]


class SignUp(Schema):
    """Open an account."""

    email: Email
    password: Password = Field(description="10 to 200 characters; the commonest ones are refused.")
    name: PersonName
    locale: Locale = "en"


class CheckYourMail(Schema):
    """The same answer whether the address was known or not."""

    status: Literal["check_your_mail"] = "check_your_mail"


class VerifyEmail(Schema):
    """The token from the link in the mail."""

    token: str = Field(pattern=r"^sfv_[A-Za-z0-9_-]{43}$", examples=["sfv_Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCB0b2s"])


class Verified(Schema):
    """The address is the user's."""

    status: Literal["verified"] = "verified"


class ResendVerification(Schema):
    """Ask for another mail."""

    email: Email


class LogIn(Schema):
    """Open a session."""

    email: Email
    password: Password


class AccessToken(Schema):
    """Send it as `Authorization: Bearer`. The refresh token comes beside it, in a cookie that no script can read."""

    access_token: str = Field(examples=["eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiYXQrand0In0.e30.c2lnbmF0dXJl"])
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind of token
    expires_in: int = Field(description="Seconds.", examples=[600])
    user_id: UserId
    org_id: OrgId
    email_verified: bool = Field(
        description="Until it is, the user may look but not upload, start jobs or make API keys.", examples=[True]
    )


class Person(Schema):
    """A user, as they see themselves."""

    id: UserId
    email: Email
    name: PersonName
    locale: Locale
    email_verified: bool
    created_at: Timestamp


class OrgSummary(Schema):
    """The org that the request works for."""

    id: OrgId
    name: str = Field(examples=["Ada Lovelace"])
    personal: bool
    role: OrgRole | None = Field(default=None, description="Absent for an API key.")


class Me(Schema):
    """Who asks, and what they may do."""

    user: Person | None = Field(default=None, description="Absent for an API key.")
    org: OrgSummary
    key_id: KeyId | None = Field(default=None, description="Only for an API key.")
    permissions: list[Permission]


class ApiKeyCreate(Schema):
    """Make an API key for the org."""

    name: str = Field(min_length=1, max_length=60, examples=["Nightly renders"])
    scopes: list[Permission] = Field(
        min_length=1,
        max_length=len(KEY_SCOPES),
        examples=[["jobs:create", "jobs:read", "uploads:write", "assets:read"]],
    )
    mode: Literal["live", "test"] = "live"
    expires_in_days: int | None = Field(default=None, ge=1, le=730, examples=[90])

    @field_validator("scopes")
    @classmethod
    def _within_key_scopes(cls, scopes: list[Permission]) -> list[Permission]:
        beyond = sorted(set(scopes) - KEY_SCOPES)
        if beyond:
            raise ValueError(f"a key cannot have {', '.join(beyond)}; it can have {', '.join(sorted(KEY_SCOPES))}")
        return sorted(set(scopes))


class ApiKey(Schema):
    """An API key, without its secret."""

    id: KeyId
    name: str = Field(examples=["Nightly renders"])
    prefix: str = Field(
        description="How the key begins: enough to find it in your settings.",
        examples=["sf_live_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z"],
    )
    scopes: list[Permission]
    mode: Literal["live", "test"]
    created_at: Timestamp
    expires_at: Timestamp | None = None
    last_used_at: Timestamp | None = None


class ApiKeyCreated(ApiKey):
    """The only time that the key itself is shown."""

    key: str = Field(examples=["sf_live_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z_Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgcmVhbCBrZXk"])
