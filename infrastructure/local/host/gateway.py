"""HTTP in, API Gateway payload 2.0 out, and back: what an HttpApi does between the viewer and a function."""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from infrastructure.local.paths import ACCOUNT

LIMIT_SECONDS = 30.0
"""An HttpApi gives up on its integration after this."""
MAX_BODY = 10 * 1024 * 1024

_TEXT = re.compile(r"^(text/.*|application/(json|javascript|xml|([\w.+-]+\+(json|xml))))\s*(;|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One HTTP request as the socket gave it."""

    method: str
    path: str
    """Still percent-encoded, without the query."""
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    address: str
    """The viewer's."""
    protocol: str = "HTTP/1.1"


@dataclass
class Response:
    """One HTTP answer. Headers may repeat (Set-Cookie)."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True)
class Route:
    """`POST /v1/jobs/{job_id}/cancel` of one function."""

    key: str
    function: str
    method: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]

    @classmethod
    def parse(cls, key: str, function: str) -> "Route":
        method, path = key.split(" ", 1)
        parts, rank = [], []
        for part in path.strip("/").split("/"):
            if part.startswith("{") and part.endswith("+}"):
                parts.append(f"(?P<{part[1:-2]}>.+)")
                rank.append(2)
            elif part.startswith("{"):
                parts.append(f"(?P<{part[1:-1]}>[^/]+)")
                rank.append(1)
            else:
                parts.append(re.escape(part))
                rank.append(0)
        return cls(key, function, method, re.compile("/" + "/".join(parts)), (*rank, int(method == "ANY")))


class Router:
    """Finds a request's route: literal parts win over variables, variables over `{proxy+}`, as on API Gateway."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = sorted(routes, key=lambda route: route.rank)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self._routes:
            if route.method in (method, "ANY") and (match := route.pattern.fullmatch(path)):
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        return None


def event(request: Request, route_key: str, parameters: dict[str, str], request_id: str, domain: str) -> dict[str, Any]:
    """The payload 2.0 event. Absent parts are absent, not null, as on AWS."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key != "cookie":
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    cookies = [c.strip() for name, value in request.headers if name.lower() == "cookie" for c in value.split(";")]
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    text = bool(_TEXT.match(headers.get("content-type", "")))
    path = unquote(request.path)
    now = time.time()
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.address,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": bool(request.body) and not text,
    }
    if cookies:
        result["cookies"] = cookies
    if query:
        result["queryStringParameters"] = query
    if parameters:
        result["pathParameters"] = parameters
    if request.body:
        body = request.body
        result["body"] = body.decode(errors="replace") if text else base64.b64encode(body).decode()
    return result


def response(result: Any) -> Response:
    """The HTTP answer of a function's result; a result without statusCode is a JSON body with 200."""
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        return Response(200, [("content-type", "application/json")], body.encode())
    try:
        status = int(result["statusCode"])
        body = result.get("body") or ""
        data = base64.b64decode(body) if result.get("isBase64Encoded") else _text(body)
        headers = [(str(k).lower(), _plain(v)) for k, v in (result.get("headers") or {}).items()]
    except (TypeError, ValueError, AttributeError):
        return failure(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
    if data and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    headers += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return Response(status, headers, data)


def failure(status: HTTPStatus, message: str) -> Response:
    """API Gateway's own answers."""
    body = json.dumps({"message": message}).encode()
    return Response(status, [("content-type", "application/json")], body)


def _text(body: object) -> bytes:
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
