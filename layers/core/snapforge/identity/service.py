"""All that other rooms may ask of identity."""

from typing import Any

from snapforge.aws import bus, outbox
from snapforge.identity import store
from snapforge.identity.accounts import address_of_org_owner, me, resend_verification, sign_up, verify_email
from snapforge.identity.keys import create_api_key, list_api_keys, principal_of_key, revoke_api_key
from snapforge.identity.limits import count_address
from snapforge.identity.sessions import Opened, log_in, log_out, log_out_all_devices, principal_of_session, refresh

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
    "publish_late",
    "publish_outbox",
    "refresh",
    "resend_verification",
    "revoke_api_key",
    "sign_up",
    "verify_email",
]


def publish_outbox(records: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """Publish the outbox rows of a stream batch; Lambda's partial answer."""
    return outbox.publish_records(records, store.Outbox, bus.publish)


def publish_late() -> int:
    """Publish what the stream has left for over a minute; returns how many."""
    return outbox.publish_late(store.Outbox, bus.publish)
