"""All endpoints behind one WSGI application, for tools that want to speak HTTP to them without a server.

It does what API Gateway does: finds the route, fills the path parameters, makes a payload 2.0 event. Every request
comes from an address of its own, since the limits by address have tests of their own.
"""

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from infrastructure.tools import functions
from infrastructure.tools.openapi import build
from snapforge.http.endpoint import Endpoint
from tests.support.http import LambdaContext

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], object]
NO_ROUTE = "x-no-route"
"""Marks the gateway's own 404: no function has seen the request."""


class Gateway:
    """The application; `/openapi.json` is the document of the endpoints as they are now."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.routes = [(_pattern(made), made) for made in functions.endpoints().values()]
        # A literal segment wins over a parameter, as in API Gateway.
        self.routes.sort(key=lambda route: route[1].path.count("{"))

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """WSGI."""
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        if path == "/openapi.json":
            return _send(start, 200, {"content-type": "application/json"}, json.dumps(build()))
        for pattern, made in self.routes:
            found = pattern.fullmatch(path)
            if found is not None and made.method == environ["REQUEST_METHOD"]:
                answered = made(self._event(environ, path, found.groupdict()), LambdaContext())
                return _send(start, answered["statusCode"], answered["headers"], answered["body"])
        return _send(start, 404, {NO_ROUTE: "1", "content-type": "application/json"}, '{"message": "Not Found"}')

    def _event(self, environ: Environ, path: str, path_parameters: dict[str, str]) -> dict[str, Any]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        number = next(self._numbers)
        return {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": environ.get("QUERY_STRING", ""),
            "headers": headers,
            "cookies": cookies,
            "pathParameters": path_parameters,
            "requestContext": {
                "http": {
                    "method": environ["REQUEST_METHOD"],
                    "path": path,
                    "sourceIp": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
                },
                "requestId": f"request-{number}",
                "stage": "$default",
            },
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }


def _pattern(made: Endpoint) -> re.Pattern[str]:
    literal = re.split(r"({\w+})", made.path)
    parts = [f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part) for part in literal]
    return re.compile("".join(parts), re.DOTALL)


def _send(start: Start, status: int, headers: dict[str, str], body: str) -> list[bytes]:
    start(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
    return [body.encode()]
