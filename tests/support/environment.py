"""What the templates say of the world that functions run in: variables, tables, queues, buckets, secrets.

A new variable, table or queue of a template is here at once. What only tests choose stands in CHOSEN.
"""

import json
import re
from collections.abc import Iterable, Mapping
from email.utils import parseaddr
from functools import cache
from typing import Any

import boto3

from tests.support import stacks, templates
from tests.support.stacks import REGION

CHOSEN = {
    "IMAGE_MODELS": "flux-schnell,flux2-klein,z-image-turbo,snapforge-demo",
    "PUBLIC_URL": "http://127.0.0.1:9",
    "DELIVERY_URL": "http://127.0.0.1:9",
    "MAIL_FROM": "Snapforge <mail@snapforge.example>",
    "POWERTOOLS_SERVICE_NAME": "snapforge",
    "POWERTOOLS_LOG_LEVEL": "WARNING",
}
"""What an operator gives (nobody listens on port 9), what differs between functions, and fewer log lines."""
SECRET = "a-test-secret-of-no-value-whatsoever"
_AWS = re.compile(r"https://sqs\.[^/]+/")
_REFERENCE = re.compile(r"\{\{resolve:secretsmanager:[^}]*\}\}")


def of_functions(endpoint: str) -> dict[str, str]:
    """The environment of all functions at once, on an emulator."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: _AWS.sub(f"{endpoint}/", value) for name, value in _said().items()},
    }


@cache
def _said() -> dict[str, str]:
    said = (
        stacks.stack(function.template.name).resolve(function.properties["Environment"]["Variables"])
        for function in templates.functions()
    )
    return merged(said)


def merged(environments: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """One environment of many. ValueError for a variable that is not the same everywhere, or that only an operator
    knows: say in CHOSEN what it is for tests.
    """
    found: dict[str, str] = {}
    for environment in environments:
        for name, value in environment.items():
            if name in CHOSEN:
                continue
            if str(value).startswith("given."):
                raise ValueError(f"{name} comes from the operator: choose it in tests/support/environment.py")
            if found.setdefault(name, str(value)) != str(value):
                raise ValueError(f"{name} is {found[name]!r} for one function and {value!r} for another: choose it")
    return found | CHOSEN


def make_all() -> None:
    """Every table, bucket, queue, bus, secret and sender, on the emulator that boto3 is told of."""
    _make_tables()
    _make_buckets_and_queues()
    boto3.client("sesv2").create_email_identity(EmailIdentity=parseaddr(CHOSEN["MAIL_FROM"])[1])
    _make_secrets()


def _make_tables() -> None:
    dynamodb = boto3.client("dynamodb")
    wanted = ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    for table in stacks.of_type("AWS::DynamoDB::Table").values():
        dynamodb.create_table(**{name: table[name] for name in wanted if name in table})


def _make_buckets_and_queues() -> None:
    """By their names alone: tests look at a queue at once, and again, so it has no delay and no dead letters."""
    s3: Any = boto3.client("s3")
    sqs, events = boto3.client("sqs"), boto3.client("events")
    for bucket in stacks.of_type("AWS::S3::Bucket").values():
        s3.create_bucket(Bucket=bucket["BucketName"], CreateBucketConfiguration={"LocationConstraint": REGION})
    for queue in stacks.of_type("AWS::SQS::Queue").values():
        sqs.create_queue(QueueName=queue["QueueName"])
    for bus in stacks.of_type("AWS::Events::EventBus").values():
        events.create_event_bus(Name=bus["Name"])


def _make_secrets() -> None:
    secrets = boto3.client("secretsmanager")
    for secret in stacks.of_type("AWS::SecretsManager::Secret").values():
        value = _delivery_key() if secret["Name"].endswith("/delivery-key") else secret_value(secret)
        secrets.create_secret(Name=secret["Name"], SecretString=value)


def secret_value(secret: Mapping[str, Any]) -> str:
    """What CloudFormation would make of a secret's properties, with SECRET in place of what is random."""
    if "SecretString" in secret:
        return _REFERENCE.sub(SECRET, secret["SecretString"])
    made = secret["GenerateSecretString"]
    if "SecretStringTemplate" not in made:
        return SECRET
    return json.dumps({**json.loads(made["SecretStringTemplate"]), made["GenerateStringKey"]: SECRET})


def _delivery_key() -> str:
    """As the operator puts it."""
    # Here, because the workers' environments can load this file and have no cryptography.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps({"key_pair_id": "KTEST", "private_key": private.decode()})
