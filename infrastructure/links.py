"""What one root stack must tell the next, where neither a fixed name nor an SSM parameter can.

Run `python -m infrastructure.links dev` before each `sam deploy` of the app and the edge, and once after the edge.
It writes the parameter files that samconfig.toml names, and keeps the secret `delivery-key` whole:

    .aws-sam/links/<stage>-app.yaml    ReleaseSha: the commit
    .aws-sam/links/<stage>-edge.yaml   the APIs' domains (once the app stands) and the public delivery key
    secret delivery-key                an RSA key, made once; its key pair id as soon as the edge has given one
"""

import argparse
import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FOLDER = Path(".aws-sam/links")
EDGE_REGION = "us-east-1"
ORIGINS = ("Api", "Domain")
"""How the app's outputs end that the edge takes as parameters."""


def main() -> None:
    """Write the links of one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["dev", "staging", "prod"])
    parser.add_argument("--region", default="eu-central-1", help="of foundation and app")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    write(f"{given.stage}-app", {"ReleaseSha": commit()})
    home = boto3.Session(region_name=given.region)
    app = outputs(home.client("cloudformation"), f"snapforge-{given.stage}-app")
    if app is None:
        return
    edge = outputs(boto3.client("cloudformation", region_name=EDGE_REGION), f"snapforge-{given.stage}-edge") or {}
    public = delivery_key(
        home.client("secretsmanager"), f"snapforge/{given.stage}/delivery-key", edge.get("DeliveryKeyPairId", "")
    )
    write(f"{given.stage}-edge", origins(app) | {"DeliveryPublicKey": public})


def origins(app: dict[str, str]) -> dict[str, str]:
    """Of the app's outputs those that the edge stands before, by their names, which are the edge's parameters."""
    return {name: value for name, value in app.items() if name.endswith(ORIGINS)}


def commit() -> str:
    """The commit that is checked out; of a changed tree a fresh hash each time, or its code would not be published.

    Hexadecimal: SAM puts its first ten characters into the logical ids of versions.
    """
    found = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if found.endswith("-dirty"):
        return hashlib.sha256(f"{found} {time.time_ns()}".encode()).hexdigest()[:40]
    return found


def outputs(cloudformation: Any, stack: str) -> dict[str, str] | None:
    """A stack's outputs, or None while it does not stand."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return {entry["OutputKey"]: entry["OutputValue"] for entry in found.get("Outputs", [])}


def delivery_key(secrets: Any, name: str, key_pair_id: str) -> str:
    """The public half (PEM). Makes the key where the secret is empty, and notes a new key pair id beside it."""
    try:
        stored = secrets.get_secret_value(SecretId=name).get("SecretString")
    except secrets.exceptions.ResourceNotFoundException:
        stored = None
    pair = json.loads(stored) if stored else {"key_pair_id": "", "private_key": _new_key()}
    if not stored:
        secrets.put_secret_value(SecretId=name, SecretString=json.dumps(pair))
    if key_pair_id and pair["key_pair_id"] != key_pair_id:
        secrets.put_secret_value(SecretId=name, SecretString=json.dumps(pair | {"key_pair_id": key_pair_id}))
    private = serialization.load_pem_private_key(pair["private_key"].encode(), password=None)
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _new_key() -> str:
    # CloudFront takes RSA with 2048 bits and nothing longer.
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def write(name: str, parameters: dict[str, str]) -> None:
    """Write a parameter file and say so."""
    path = FOLDER / f"{name}.yaml"
    path.write_text(yaml.safe_dump(parameters))
    print(path)


if __name__ == "__main__":
    main()
