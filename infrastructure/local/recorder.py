"""A proxy in front of the emulator and local Batch that writes down every AWS call, one JSON line each.

Who called stands in the access key id (`FN_<function name with underscores>`, `JOB_worker`), the service in the
signature's scope, the action in the target header, the form or the path. Run as
`python -m infrastructure.local.recorder <settings.json> <listening fd> <parent pid>`.
"""

import http.client
import json
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/[^/]+/([^/,]+)/aws4_request")
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"}
_IAM_PREFIX = {"email": "ses", "sesv2": "ses"}
_S3_SUBRESOURCE = {"uploads": "MultipartUpload", "uploadId": "MultipartUpload", "tagging": "ObjectTagging"}
_REST = {
    ("POST", re.compile(r"/v2/email/outbound-emails")): "SendEmail",
    ("POST", re.compile(r"/2015-03-31/functions/[^/]+/invocations")): "InvokeFunction",
}
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def read_call(method: str, target: str, headers: dict[str, str], body: bytes) -> list[dict[str, str]]:
    """The IAM actions that one request needs: caller, service, action, resource. A transaction gives one per item."""
    match = _CREDENTIAL.search(headers.get("authorization", ""))
    query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    if match is None:
        match = re.match(r"([^/]+)/\d+/[^/]+/([^/]+)/", query.get("X-Amz-Credential", ""))
    who, service = match.groups() if match else ("anonymous", "s3")
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
    resource = str(
        body.get("TableName")
        or body.get("QueueUrl")
        or body.get("SecretId")
        or body.get("stateMachineArn")
        or body.get("executionArn")
        or body.get("taskToken", "")
        and "*"
        or body.get("Name")
        or "*"
    )
    if index := body.get("IndexName"):
        resource += f"/index/{index}"
    return [(operation, resource.rsplit("/", 1)[-1] if "QueueUrl" in body else resource)]


def _s3_call(method: str, path: str, query: dict[str, str]) -> tuple[str, str]:
    bucket, _, key = path.strip("/").partition("/")
    resource = f"{bucket}/{key}" if key else bucket
    if not key:
        return ("ListBucket" if method in ("GET", "HEAD") else f"{method.title()}Bucket"), resource
    if "tagging" in query:
        return f"{method.title()}ObjectTagging", resource
    if "uploadId" in query and method == "DELETE":
        return "AbortMultipartUpload", resource
    if "uploadId" in query and method == "GET":
        return "ListMultipartUploadParts", resource
    action = {"GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}.get(method, "PutObject")
    return action, resource


def _rest_action(method: str, path: str, body: bytes) -> str:
    for (verb, pattern), action in _REST.items():
        if verb == method and pattern.fullmatch(path):
            return action
    if path.startswith("/v1/"):
        words = {
            "submitjob": "SubmitJob",
            "describejobs": "DescribeJobs",
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: "_Server"

    def log_message(self, format: str, *args: object) -> None:
        """The calls file is the log."""

    def setup(self) -> None:
        super().setup()
        self._upstream: dict[str, http.client.HTTPConnection] = {}

    def finish(self) -> None:
        for connection in self._upstream.values():
            connection.close()
        super().finish()

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        calls = read_call(self.command, self.path, headers, body)
        where = self.server.batch if calls and calls[0]["service"] == "batch" else self.server.emulator
        passed = {name: value for name, value in self.headers.items() if name.lower() not in _HOP | {"expect"}}
        answer = self._ask(where, body, passed)
        data = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else str(len(data))
        self.send_header("content-length", length or "0")
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()
        request = answer.getheader("x-amzn-requestid") or answer.getheader("x-amz-request-id") or ""
        self.server.record([{**call, "status": answer.status, "request": request} for call in calls])

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _pass

    def _ask(self, where: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        for fresh in (False, True):
            connection = self._upstream.get(where)
            if connection is None or fresh:
                connection = self._upstream[where] = http.client.HTTPConnection(where, timeout=120)
            try:
                connection.request(self.command, self.path, body, headers)
                return connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                # A kept connection may have ended meanwhile; a fresh one that fails is news for the caller.
                connection.close()
                if fresh:
                    raise
        raise AssertionError


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, settings: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.emulator = settings["emulator"].removeprefix("http://")
        self.batch = settings["batch"].removeprefix("http://")
        self._file = Path(settings["calls"]).open("a", buffering=1)
        self._lock = threading.Lock()

    def record(self, calls: list[dict[str, Any]]) -> None:
        with self._lock:
            self._file.writelines(json.dumps(call) + "\n" for call in calls)


def main() -> None:
    settings: dict[str, str] = json.loads(Path(sys.argv[1]).read_text())
    _Server(socket.socket(fileno=int(sys.argv[2])), settings).serve_forever()


if __name__ == "__main__":
    main()
