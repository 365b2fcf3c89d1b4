"""Who may do what: one table.

An endpoint names a permission; roles and key scopes map to sets of them. A principal is resolved once per request.
"""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What an endpoint asks for. The names are the scopes of API keys, too."""

    profile_read = "profile:read"
    sessions_manage = "sessions:manage"
    keys_manage = "keys:manage"
    uploads_write = "uploads:write"
    assets_read = "assets:read"
    jobs_create = "jobs:create"
    jobs_read = "jobs:read"
    jobs_cancel = "jobs:cancel"
    loras_read = "loras:read"
    loras_write = "loras:write"
    billing_read = "billing:read"


class OrgRole(StrEnum):
    """A user's standing in an org."""

    owner = "owner"
    admin = "admin"
    member = "member"
    billing = "billing"


_WORK = frozenset(
    {
        Permission.profile_read,
        Permission.uploads_write,
        Permission.assets_read,
        Permission.jobs_create,
        Permission.jobs_read,
        Permission.jobs_cancel,
        Permission.loras_read,
        Permission.loras_write,
        Permission.billing_read,
    }
)

KEY_SCOPES = _WORK
"""What an API key can be given; keys never manage keys or sessions."""

BY_ROLE: dict[OrgRole, frozenset[Permission]] = {
    OrgRole.owner: _WORK | {Permission.sessions_manage, Permission.keys_manage},
    OrgRole.admin: _WORK | {Permission.sessions_manage, Permission.keys_manage},
    OrgRole.member: _WORK | {Permission.sessions_manage},
    OrgRole.billing: frozenset({Permission.profile_read, Permission.sessions_manage, Permission.billing_read}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, for which org. Made by `identity.service.sessions` and `.keys` only."""

    org_id: str
    permissions: frozenset[Permission]
    user_id: str | None = None
    key_id: str | None = None
    session_id: str | None = None
    test_mode: bool = False

    @property
    def actor(self) -> str:
        """The id that stands in logs and rows as the doer."""
        return self.key_id or self.user_id or "anonymous"
