"""The host's own two calls to AWS, without boto3: it would double the process."""

import json
import urllib.request
from typing import Any

from infrastructure.local.host.streams import GiveUp
from infrastructure.local.loopback import open_url
from infrastructure.local.paths import REGION


def give_up(emulator: str) -> GiveUp:
    """Sends what a stream consumer gave up to its failure queue."""

    def send(arn: str, record: dict[str, Any]) -> None:
        account, queue = arn.split(":")[4:6]
        call(
            emulator,
            "sqs",
            "AmazonSQS.SendMessage",
            {"QueueUrl": f"{emulator}/{account}/{queue}", "MessageBody": json.dumps(record)},
        )

    return send


def authorization(service: str) -> str:
    """A header that names account and service. MiniStack reads the scope and never checks the signature."""
    scope = f"local/20260101/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=local"


def call(endpoint: str, service: str, target: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call in the JSON protocol. urllib.error.URLError where the emulator does not answer."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": target,
        "Authorization": authorization(service),
    }
    request = urllib.request.Request(endpoint, json.dumps(body).encode(), headers)
    with open_url(request) as answer:
        result: dict[str, Any] = json.load(answer)
    return result
