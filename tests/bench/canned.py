"""Canned answers of AWS: no network, the SDK's own work (building, signing, parsing) is done."""

import json
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

SESSION_KEYS = {"current": {"kid": "k1", "key": "a-bench-key-of-no-value-whatsoever-32b"}, "previous": None}
STANDING = {"cls": {"S": "Standing"}, "epoch": {"N": "1"}, "ended": {"M": {}}, "verified": {"BOOL": True}}
GRANT = {
    "id": {"S": "grt_01KA0000000000000000000000"},
    "kind": {"S": "admin"},
    "priority": {"N": "30"},
    "remaining": {"N": "1000"},
}
ACCOUNT = {
    "cls": {"S": "Account"},
    "avail": {"N": "1000"},
    "held": {"N": "0"},
    "debt": {"N": "0"},
    "grants": {"L": [{"M": GRANT}]},
    "version": {"N": "1"},
}
PROGRESS = {
    "cls": {"S": "Progress"},
    "run": {"N": "1"},
    "attempt": {"N": "1"},
    "percent": {"N": "40"},
    "floor": {"N": "0"},
    "stage": {"S": "drawing"},
    "message": {"S": "picture 1 of 2"},
    "eta_seconds": {"N": "12"},
    "at": {"S": "2026-11-21T02:20:09.000000Z"},
}


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _text(header: Any) -> str:
    return header.decode() if isinstance(header, bytes) else str(header)


class Canned:
    """Answers a client's requests; `written` is the last transaction that was sent, `job` what queries find."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.job: dict[str, Any] = {}
        self.calls = 0
        self._answers: dict[str, bytes] = {}

    def attach(self, client: Any) -> None:
        """Answer this client's requests."""
        client.meta.events.register("before-send.*.*", self._answer)

    def found(self, job: dict[str, Any]) -> None:
        """From now on, queries find this job, at work, with progress."""
        self.job = job | {"state": {"S": "running"}, "started_at": job["created_at"]}
        keys = {"pk": job["pk"], "sk": {"S": job["sk"]["S"] + "#progress"}}
        items = [self.job, PROGRESS | keys]
        self._answers["Query"] = json.dumps({"Items": items, "Count": 2, "ScannedCount": 2}).encode()

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.calls += 1
        operation = _text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        body = self._answers.get(operation) or self._make(operation, request.body)
        headers: Any = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(body))}
        return AWSResponse(request.url, 200, headers, _Raw(body))

    def _make(self, operation: str, body: Any) -> bytes:
        asked = json.loads(body)
        if operation == "GetSecretValue":
            return json.dumps({"Name": asked["SecretId"], "SecretString": json.dumps(SESSION_KEYS)}).encode()
        if operation == "TransactWriteItems":
            self.written = asked["TransactItems"]
            return b"{}"
        if operation == "GetItem":
            item = STANDING if asked["Key"]["sk"]["S"] == "epoch" else ACCOUNT
            return json.dumps({"Item": item | asked["Key"]}).encode()
        raise RuntimeError(f"nothing is canned for {operation}")
