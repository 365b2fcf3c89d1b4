"""All that other rooms may ask of identity."""

from typing import TYPE_CHECKING

from snapforge.kit.door import door

if TYPE_CHECKING:
    from snapforge.identity.accounts import address_of_org_owner, me, resend_verification, sign_up, verify_email
    from snapforge.identity.keys import create_api_key, list_api_keys, principal_of_key, revoke_api_key
    from snapforge.identity.limits import count_address
    from snapforge.identity.sessions import Opened, log_in, log_out, log_out_all_devices, principal_of_session, refresh
else:
    __getattr__ = door(
        __name__,
        {
            "accounts": ("address_of_org_owner", "me", "resend_verification", "sign_up", "verify_email"),
            "keys": ("create_api_key", "list_api_keys", "principal_of_key", "revoke_api_key"),
            "limits": ("count_address",),
            "sessions": ("Opened", "log_in", "log_out", "log_out_all_devices", "principal_of_session", "refresh"),
        },
    )

__all__ = [
    "Opened",
    "address_of_org_owner",
    "count_address",
    "create_api_key",
    "list_api_keys",
    "log_in",
    "log_out",
    "log_out_all_devices",
    "me",
    "principal_of_key",
    "principal_of_session",
    "refresh",
    "resend_verification",
    "revoke_api_key",
    "sign_up",
    "verify_email",
]
