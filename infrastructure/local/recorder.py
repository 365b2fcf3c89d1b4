"""A proxy in front of the emulator and local Batch that writes down every AWS call, one JSON line each.

Who called stands in the User-Agent's application id (`FN_<function name with underscores>`) or the access key id
(`JOB_worker`), the service in the signature's scope, the action in the target header, the form or the path. Run as
`python -m infrastructure.local.recorder <settings.json> <listening fd> <parent pid>`.
"""

import http.client
import json
import re
import sys
import threading
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qsl, unquote, urlsplit

from infrastructure.local import serving

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/[^/]+/([^/,]+)/aws4_request")
_APPLICATION = re.compile(r"(?:^|\s)app/(FN_\w+)")
_HOP = {"expect", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}
_IAM_PREFIX = {"email": "ses", "sesv2": "ses"}
_REST = {
    ("POST", re.compile(r"/v2/email/outbound-emails")): "SendEmail",
    ("GET", re.compile(r"/v2/email/account")): "GetAccount",
    ("POST", re.compile(r"/2015-03-31/functions/[^/]+/invocations")): "InvokeFunction",
}
_NAMES = ("TableName", "SecretId", "stateMachineArn", "executionArn", "Name")
"""Where a JSON request names its resource."""
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def read_call(method: str, target: str, headers: dict[str, str], body: bytes) -> list[dict[str, str]]:
    """The IAM actions that one request needs: caller, service, action, resource. A transaction gives one per item."""
    match = _CREDENTIAL.search(headers.get("authorization", ""))
    query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    if match is None:
        match = re.match(r"([^/]+)/\d+/[^/]+/([^/]+)/", query.get("X-Amz-Credential", ""))
    who, service = match.groups() if match else ("anonymous", "s3")
    if application := _APPLICATION.search(headers.get("user-agent", "")):
        who = application[1]
    path = unquote(urlsplit(target).path)
    if operation := headers.get("x-amz-target"):
        pairs = _json_call(operation.rpartition(".")[2], json.loads(body or b"{}"))
    elif service == "s3":
        pairs = [_s3_call(method, path, query)]
    else:
        pairs = [(_rest_action(method, path, body), _rest_resource(path, body))]
    prefix = _IAM_PREFIX.get(service, service)
    return [{"who": who, "service": prefix, "action": action, "resource": resource} for action, resource in pairs]


def _json_call(operation: str, body: dict[str, Any]) -> list[tuple[str, str]]:
    if operation == "TransactWriteItems":
        return [
            (_TRANSACTED[kind], item["TableName"]) for entry in body["TransactItems"] for kind, item in entry.items()
        ]
    if operation == "TransactGetItems":
        return [("GetItem", entry["Get"]["TableName"]) for entry in body["TransactItems"]]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [(operation, table) for table in body["RequestItems"]]
    if operation == "PutEvents":
        return [(operation, entry.get("EventBusName", "default")) for entry in body["Entries"]]
    if queue := body.get("QueueUrl"):
        # IAM knows no actions for batches.
        return [(operation.removesuffix("Batch"), str(queue).rsplit("/", 1)[-1])]
    resource = str(next((body[name] for name in _NAMES if body.get(name)), "*"))
    return [(operation, f"{resource}/index/{body['IndexName']}" if body.get("IndexName") else resource)]


def _s3_call(method: str, path: str, query: dict[str, str]) -> tuple[str, str]:
    bucket, _, key = path.strip("/").partition("/")
    if not key:
        listed = "ListBucketVersions" if "versions" in query else "ListBucket"
        return (listed if method in ("GET", "HEAD") else f"{method.title()}Bucket"), bucket
    return _s3_object_action(method, query), f"{bucket}/{key}"


def _s3_object_action(method: str, query: dict[str, str]) -> str:
    if "tagging" in query:
        return f"{method.title()}ObjectTagging"
    if "uploadId" in query and method in ("DELETE", "GET"):
        return "AbortMultipartUpload" if method == "DELETE" else "ListMultipartUploadParts"
    action = {"GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}.get(method, "PutObject")
    return f"{action}Version" if "versionId" in query else action


def _rest_action(method: str, path: str, body: bytes) -> str:
    for (verb, pattern), action in _REST.items():
        if verb == method and pattern.fullmatch(path):
            return action
    if path.startswith("/v1/"):
        words = {
            "submitjob": "SubmitJob",
            "describejobs": "DescribeJobs",
            "describejobqueues": "DescribeJobQueues",
            "listjobs": "ListJobs",
            "terminatejob": "TerminateJob",
            "canceljob": "CancelJob",
        }
        return words.get(path.removeprefix("/v1/"), path)
    form = dict(parse_qsl(body.decode(errors="replace")))
    return form.get("Action", f"{method} {path}")


def _rest_resource(path: str, body: bytes) -> str:
    if path == "/v1/submitjob":
        wanted = json.loads(body)
        return f"{wanted['jobQueue']} {wanted['jobDefinition']}"
    return "*"


class _Handler(serving.Handler):
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self._upstream: dict[str, http.client.HTTPConnection] = {}

    def finish(self) -> None:
        for connection in self._upstream.values():
            connection.close()
        super().finish()

    def answer(self) -> None:
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        calls = read_call(self.command, self.path, headers, body)
        where = self.server.batch if calls and calls[0]["service"] == "batch" else self.server.emulator
        passed = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        answer = self._ask(where, body, passed)
        data = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        self.send(answer.status, kept, data, answer.getheader("content-length") if self.command == "HEAD" else None)
        self.server.record([{**call, "status": answer.status} for call in calls])

    def _ask(self, where: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        kept = self._upstream.get(where)
        if kept is not None:
            try:
                kept.request(self.command, self.path, body, headers)
                return kept.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                # It ended between two requests; a fresh one that fails is news for the caller.
                kept.close()
        fresh = self._upstream[where] = http.client.HTTPConnection(where, timeout=120)
        fresh.request(self.command, self.path, body, headers)
        return fresh.getresponse()


class _Server(serving.Server):
    def __init__(self, descriptor: int, settings: dict[str, str], calls: TextIO) -> None:
        super().__init__(descriptor, _Handler)
        self.emulator = settings["emulator"].removeprefix("http://")
        self.batch = settings["batch"].removeprefix("http://")
        self._calls = calls
        self._lock = threading.Lock()

    def record(self, calls: list[dict[str, Any]]) -> None:
        with self._lock:
            self._calls.writelines(json.dumps(call) + "\n" for call in calls)


def main() -> None:
    settings: dict[str, str] = json.loads(Path(sys.argv[1]).read_text())
    with Path(settings["calls"]).open("a", buffering=1) as calls:
        _Server(int(sys.argv[2]), settings, calls).serve_forever()


if __name__ == "__main__":
    main()
