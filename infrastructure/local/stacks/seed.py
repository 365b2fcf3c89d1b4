"""What an operator does once after the first deployment, done here by the region: keys and the sender's identity."""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from infrastructure.local.stacks.adapt import Lookup

_REFERENCE = re.compile(r"\{\{resolve:secretsmanager:([^}]*)\}\}")


def seed(client: Any, settings: dict[str, Any]) -> str:
    """Put the delivery key, verify the sender. Returns the origin secret, which CloudFront would show to the APIs."""
    secrets = client("secretsmanager")
    prefix = settings["secret_prefix"]
    delivery = settings["delivery"]
    key = json.dumps({"key_pair_id": delivery["key_pair_id"], "private_key": delivery["private_key"]})
    if _read(secrets, prefix + "delivery-key") != key:
        _put(secrets, prefix + "delivery-key", key)
    _fill_in_references(secrets)
    ses = client("sesv2")
    known = {identity["IdentityName"] for identity in ses.list_email_identities()["EmailIdentities"]}
    for identity in settings["senders"]:
        if identity not in known:
            ses.create_email_identity(EmailIdentity=identity)
    origin = json.loads(_read(secrets, prefix + "origin") or "{}")
    return str(origin.get("current", ""))


def lookup(client: Any) -> Lookup:
    """Reads what dynamic references name, as it stands now."""

    def find(service: str, name: str) -> str | None:
        if service == "secretsmanager":
            return _read(client("secretsmanager"), name)
        try:
            return str(client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError:
            return None

    return find


def _fill_in_references(secrets: Any) -> None:
    """Secrets that name another secret of their own stack: CloudFormation would have put its value there."""
    for entry in secrets.list_secrets(MaxResults=100)["SecretList"]:
        value = _read(secrets, entry["Name"]) or ""
        match = _REFERENCE.search(value)
        if match and (inner := _read(secrets, match.group(1))) is not None:
            secrets.put_secret_value(SecretId=entry["Name"], SecretString=_REFERENCE.sub(lambda _: inner, value))


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
