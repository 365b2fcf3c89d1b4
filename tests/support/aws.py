"""A real MiniStack for tests of rows, transactions, queues and buckets: one per session, named as in the templates.

Tests use fresh ids and never reset. The environment is set as the templates set it for functions.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACCOUNT = "000000000000"
REGION = "eu-central-1"
PREFIX = "snapforge-dev"


@dataclass(frozen=True)
class Aws:
    """The running emulator."""

    endpoint: str

    def client(self, service: str) -> Any:
        """A boto3 client of its own, for looking from outside."""
        return outside(service)

    @property
    def uploads_bucket(self) -> str:
        """The private bucket of originals."""
        return f"{PREFIX}-uploads-{ACCOUNT}"

    @property
    def assets_bucket(self) -> str:
        """The bucket of results and variants."""
        return f"{PREFIX}-assets-{ACCOUNT}"

    def queue_url(self, name: str) -> str:
        """The URL of a queue by its short name, e.g. `reports`."""
        url: str = self.client("sqs").get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]
        return url

    def messages(self, name: str) -> list[dict[str, Any]]:
        """Take up to ten messages from a queue and return their JSON bodies."""
        sqs, url = self.client("sqs"), self.queue_url(name)
        taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in taken:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in taken]


def outside(service: str) -> Any:
    """A boto3 client by a name known only at run time."""
    make: Any = boto3.client
    return make(service)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_ministack(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the emulator in its own environment; it answers within a few seconds (RuntimeError otherwise)."""
    program = ROOT / ".venvs" / "ministack" / "bin" / "ministack"
    if not program.exists():
        raise RuntimeError("no .venvs/ministack: run `make setup`")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(program)],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "IOT_MTLS_ENABLED": "0",
                "MINISTACK_REGION": REGION,
            },
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise RuntimeError("MiniStack did not start:\n" + (folder / "ministack.log").read_text()[-2000:])


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """The endpoint of an empty emulator that works in `folder`. Where KEPT_EMULATOR names one that is up, that one is
    emptied and used: `make mutants` runs hundreds of sessions one after another, and a start takes longer than most.
    """
    if kept := os.environ.get("KEPT_EMULATOR"):
        urllib.request.urlopen(urllib.request.Request(f"{kept}/_ministack/reset", method="POST"), timeout=60).close()
        yield kept
        return
    port = free_port()
    process = start_ministack(folder, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def function_environment(endpoint: str) -> dict[str, str]:
    """The environment that the templates' Globals give every function, on this emulator."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "STAGE": "dev",
        "TABLE_PREFIX": f"{PREFIX}-",
        "BATCH_PREFIX": f"{PREFIX}-",
        "SECRET_PREFIX": "snapforge/dev/",
        "UPLOADS_BUCKET": f"{PREFIX}-uploads-{ACCOUNT}",
        "ASSETS_BUCKET": f"{PREFIX}-assets-{ACCOUNT}",
        "EVENT_BUS": PREFIX,
        "REPORTS_QUEUE_URL": f"{endpoint}/{ACCOUNT}/{PREFIX}-reports",
        "QUEUE_PREFIX": f"{endpoint}/{ACCOUNT}/{PREFIX}-",
        "MAX_IMAGE_WORKERS": "8",
        "TARGET_WAIT_SECONDS": "180",
        "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{PREFIX}-render",
        "IMAGE_MODELS": "flux-schnell,flux2-klein,z-image-turbo,snapforge-demo",
        "IMAGE_ROUTES": "own",
        "PUBLIC_URL": "http://127.0.0.1:9",
        "DELIVERY_URL": "http://127.0.0.1:9",
        "MAIL_FROM": "Snapforge <mail@snapforge.example>",
        "POWERTOOLS_SERVICE_NAME": "snapforge",
        "POWERTOOLS_METRICS_NAMESPACE": "Snapforge",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The emulator with every table, bucket, queue, bus and secret of the foundation."""
    with running(tmp_path_factory.mktemp("ministack")) as started:
        yield started


@contextmanager
def running(folder: Path) -> Iterator[Aws]:
    """The same without pytest, for benchmarks: it works in `folder`."""
    with ministack(folder) as endpoint:
        before = dict(os.environ)
        os.environ.update(function_environment(endpoint))
        try:
            _make_tables()
            _make_rest()
            yield Aws(endpoint)
        finally:
            os.environ.clear()
            os.environ.update(before)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain values."""


_Loader.add_multi_constructor("!", lambda loader, _, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]


def _make_tables() -> None:
    dynamodb = boto3.client("dynamodb")
    template = yaml.load((ROOT / "infrastructure" / "data.yaml").read_text(), _Loader)
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        wanted = resource["Properties"]
        dynamodb.create_table(
            TableName=wanted["TableName"].replace("${Stage}", "dev"),
            **{
                name: wanted[name]
                for name in ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
                if name in wanted
            },
        )


def _make_rest() -> None:
    # Here, because the workers' environments load this file too and have no cryptography.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    s3, sqs = outside("s3"), boto3.client("sqs")
    for bucket in ("uploads", "assets"):
        s3.create_bucket(
            Bucket=f"{PREFIX}-{bucket}-{ACCOUNT}", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    tickets = ("images-rush", "images-standard", "images-bulk")
    for queue in ("reports", "batch-states", "mail", "uploaded", "providers", *tickets):
        sqs.create_queue(QueueName=f"{PREFIX}-{queue}")
    boto3.client("events").create_event_bus(Name=PREFIX)
    boto3.client("sesv2").create_email_identity(EmailIdentity="mail@snapforge.example")
    secrets = boto3.client("secretsmanager")
    keys = {"current": {"kid": "k1", "key": "a-test-key-of-no-value-whatsoever-32b"}, "previous": None}
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, value in {
        "session-keys": keys,
        "quote-key": {"current": "a-test-quote-key-of-no-value-whatsoever", "previous": None},
        "origin": {"current": "edge-test", "previous": None},
        "providers": {},
        "delivery-key": {"key_pair_id": "KTEST", "private_key": private.decode()},
    }.items():
        secrets.create_secret(Name=f"snapforge/dev/{name}", SecretString=json.dumps(value))
