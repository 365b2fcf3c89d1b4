"""A real MiniStack for tests of rows, transactions, queues and buckets: one per session, named as in the templates.

Tests use fresh ids and never reset. The environment is set as the templates set it for functions (environment.py).
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


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The emulator with every table, bucket, queue, bus and secret of the templates."""
    with running(tmp_path_factory.mktemp("ministack")) as started:
        yield started


@contextmanager
def running(folder: Path) -> Iterator[Aws]:
    """The same without pytest, for benchmarks: it works in `folder`."""
    # Here, because this file is a plugin of every session, and many start no emulator.
    from tests.support import environment

    with ministack(folder) as endpoint:
        before = dict(os.environ)
        os.environ.update(environment.of_functions(endpoint))
        try:
            environment.make_all()
            yield Aws(endpoint)
        finally:
            os.environ.clear()
            os.environ.update(before)
