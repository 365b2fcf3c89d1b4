"""Everything behind the one port: which part answers which path."""

import json
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from infrastructure.local.host import gateway, mailbox, pages, streams
from infrastructure.local.host.asynchronous import AsynchronousInvocations, is_event
from infrastructure.local.host.delivery import Denied, Origin, SignedUrls
from infrastructure.local.host.functions import Deployed
from infrastructure.local.host.gateway import Request, Response, Route, Router
from infrastructure.local.host.pool import Answer, Pool
from infrastructure.local.host.tasks import TokenTasks

ORIGIN_SECRET = "x-origin-verify"
VIEWER_ADDRESS = "x-viewer-ip"
_ACCESS_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>'
)
_EDGE_HEADERS = (ORIGIN_SECRET, VIEWER_ADDRESS)
"""What CloudFront adds, and so takes away from what a viewer sends."""


@dataclass
class Site:
    """The host's answers; one instance lives as long as one deployment (a reload makes a new one)."""

    deployed: Deployed
    pool: Pool
    domain: str
    """`127.0.0.1:<port>`."""
    emulator: str
    signed_urls: SignedUrls
    give_up: streams.GiveUp
    asynchronous: AsynchronousInvocations
    tasks: TokenTasks
    origin: Origin = field(init=False)

    def __post_init__(self) -> None:
        functions = self.deployed.functions.values()
        self._router = Router([Route.parse(key, f.name) for f in functions for key in f.routes])
        self._streams = {f.name: streams.StreamDelivery(f, self.give_up) for f in functions if f.streams}
        self.origin = Origin(self.emulator, self.deployed.assets_bucket)

    def api(self, request: Request) -> Response:
        """`/v1/*`: the HttpApi of the context that owns the route, behind CloudFront."""
        found = self._router.find(request.method, request.path)
        if found is None:
            return gateway.failure(HTTPStatus.NOT_FOUND, "Not Found")
        route, parameters = found
        return self._function(self._through_edge(request), route.function, route.key, parameters)

    def function_url(self, request: Request) -> Response:
        """`/_url/<function>/<path>`: the function's own address."""
        name, _, rest = request.path.removeprefix("/_url/").partition("/")
        function = self.deployed.functions.get(name)
        if function is None or not function.url:
            return gateway.failure(HTTPStatus.NOT_FOUND, "Not Found")
        direct = Request(
            request.method, "/" + rest, request.query, request.headers, request.body, request.address, request.protocol
        )
        return self._function(direct, name, "$default", {})

    def _through_edge(self, request: Request) -> Request:
        headers = [(name, value) for name, value in request.headers if name.lower() not in _EDGE_HEADERS]
        headers += [(ORIGIN_SECRET, self.deployed.origin_secret), (VIEWER_ADDRESS, request.address)]
        return Request(
            request.method, request.path, request.query, headers, request.body, request.address, request.protocol
        )

    def _function(self, request: Request, name: str, key: str, parameters: dict[str, str]) -> Response:
        if len(request.body) > gateway.MAX_BODY:
            return gateway.failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
        request_id = str(uuid.uuid4())
        event = gateway.event(request, key, parameters, request_id, self.domain)
        began = time.monotonic()
        answer = self.pool.invoke(name, json.dumps(event).encode(), trace=_trace(request.headers))
        if time.monotonic() - began > gateway.LIMIT_SECONDS:
            result = gateway.failure(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        elif not answer.ok:
            result = gateway.failure(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        else:
            result = gateway.response(json.loads(answer.body))
        result.headers.append(("apigw-requestid", request_id))
        return result

    def invoke(self, request: Request) -> Response:
        """`POST /invoke`: MiniStack's call for one of its functions. Non-2xx is its one way to hear of an error."""
        headers = {name.lower(): value for name, value in request.headers}
        name = headers.get("x-amzn-lambda-function-name", "")
        if name not in self.deployed.functions:
            return gateway.failure(HTTPStatus.NOT_FOUND, f"no function {name}")
        request_id = headers.get("x-amzn-lambda-request-id")
        trace = headers.get("x-amzn-trace-id", "")

        def call(body: bytes) -> Answer:
            return self.pool.invoke(name, body, request_id, trace)

        event = json.loads(request.body)
        if is_event(event):
            self.asynchronous.accept(name, event)
            return Response(HTTPStatus.ACCEPTED, [("content-type", "application/json")], b"null")
        if name in self._streams and streams.is_stream(event):
            answer = self._streams[name].deliver(event, call)
        else:
            with self.tasks.in_hand(event) as task:
                answer = task.ended(call(request.body))
        status = HTTPStatus.OK if answer.ok else HTTPStatus.INTERNAL_SERVER_ERROR
        return Response(status, [("content-type", "application/json")], answer.body)

    def refuse_asset(self, request: Request) -> Response | None:
        """CloudFront's refusal, or None if the address is signed and the method reads."""
        if request.method not in ("GET", "HEAD"):
            return Response(403, [("content-type", "text/plain")], b"This distribution only supports GET and HEAD\n")
        host = {name.lower(): value for name, value in request.headers}.get("host", self.domain)
        url = f"http://{host}{request.path}" + (f"?{request.query}" if request.query else "")
        try:
            self.signed_urls.verify(url, request.address)
        except Denied:
            return Response(403, [("content-type", "text/xml")], _ACCESS_DENIED)
        return None

    def mail(self, path: str) -> Response:
        """`/_mail`, `/_mail.json` and `/_mail/<id>`."""
        items = mailbox.messages(self.emulator)
        if path == "/_mail.json":
            return Response(200, [("content-type", "application/json")], json.dumps(items).encode())
        if path in ("/_mail", "/_mail/"):
            return _html(mailbox.listing(items))
        wanted = path.removeprefix("/_mail/")
        found = next((item for item in items if item["id"] == wanted), None)
        return _html(mailbox.page(found)) if found else gateway.failure(HTTPStatus.NOT_FOUND, "no such mail")

    def other(self, request: Request) -> Response:
        """The web app."""
        if request.method not in ("GET", "HEAD"):
            return gateway.failure(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed")
        return pages.serve(request.path)


def _html(page: str) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; frame-src 'self'"
    return Response(
        200, [("content-type", "text/html;charset=UTF-8"), ("content-security-policy", policy)], page.encode()
    )


def _trace(headers: list[tuple[str, str]]) -> str:
    given: Any = next((value for name, value in headers if name.lower() == "x-amzn-trace-id"), None)
    return given or f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
