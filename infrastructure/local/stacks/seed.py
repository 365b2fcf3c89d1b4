"""What an operator does once after the first deployment, done here by the region: keys and the sender's identity."""

import json
from typing import Any

from botocore.exceptions import ClientError


def seed(client: Any, settings: dict[str, Any]) -> str:
    """Put the delivery key, verify the sender. Returns the origin secret, which CloudFront would show to the APIs."""
    secrets = client("secretsmanager")
    prefix = settings["secret_prefix"]
    delivery = settings["delivery"]
    key = json.dumps({"key_pair_id": delivery["key_pair_id"], "private_key": delivery["private_key"]})
    if _read(secrets, prefix + "delivery-key") != key:
        _put(secrets, prefix + "delivery-key", key)
    ses = client("sesv2")
    known = {identity["IdentityName"] for identity in ses.list_email_identities()["EmailIdentities"]}
    for identity in settings["senders"]:
        if identity not in known:
            ses.create_email_identity(EmailIdentity=identity)
    origin = json.loads(_read(secrets, prefix + "origin") or "{}")
    return str(origin.get("current", ""))


def _read(secrets: Any, name: str) -> str | None:
    try:
        return str(secrets.get_secret_value(SecretId=name)["SecretString"])
    except (ClientError, KeyError):
        return None


def _put(secrets: Any, name: str, value: str) -> None:
    try:
        secrets.put_secret_value(SecretId=name, SecretString=value)
    except secrets.exceptions.ResourceNotFoundException:
        secrets.create_secret(Name=name, SecretString=value)
