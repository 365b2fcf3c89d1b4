"""Call an endpoint's handler as API Gateway does, without a server."""

import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from snapforge.http.openapi import problems

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class LambdaContext:
    """What Lambda passes beside the event."""

    function_name: str = "test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:000000000000:function:test"

    def get_remaining_time_in_millis(self) -> int:
        """Plenty."""
        return 30_000


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: tuple[str, ...]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@cache
def load(function: str) -> ModuleType:
    """The module of `<context>/<file>` below functions/, as Lambda would import it."""
    path = ROOT / "functions" / f"{function}.py"
    name = "functions." + function.replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def event(
    method: str,
    path: str,
    *,
    body: Any = None,
    query: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    path_parameters: dict[str, str] | None = None,
    address: str = "203.0.113.7",
) -> dict[str, Any]:
    """An API Gateway payload 2.0 event; `body` is sent as JSON unless it is a str already."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}, doseq=True),
        "headers": {"content-type": "application/json", "user-agent": "tests"}
        | {name.lower(): value for name, value in (headers or {}).items()},
        "cookies": cookies or [],
        "pathParameters": path_parameters or {},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": address},
            "requestId": "test-request",
            "stage": "$default",
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def call(
    function: str,
    *,
    path: dict[str, str] | None = None,
    body: Any = None,
    query: dict[str, Any] | None = None,
    token: str | None = None,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    address: str = "203.0.113.7",
) -> Answer:
    """Call `<context>/<file>`.

    path: values of the route's parameters. token: an access token or API key. key: an Idempotency-Key.
    """
    endpoint = load(function).handler
    sent = dict(headers or {})
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if key is not None:
        sent["idempotency-key"] = key
    raw_path = endpoint.path
    for name, value in (path or {}).items():
        raw_path = raw_path.replace("{" + name + "}", value)
    made = event(
        endpoint.method,
        raw_path,
        body=body,
        query=query,
        headers=sent,
        cookies=cookies,
        path_parameters=path,
        address=address,
    )
    answered = endpoint(made, LambdaContext())
    answer = Answer(
        answered["statusCode"], answered["headers"], answered.get("body", ""), tuple(answered.get("cookies", ()))
    )
    if answer.headers.get("content-type") == "application/problem+json":
        # So that every test of a route holds its `raises` against what its service raises.
        declared = {problem.code for problem in problems(endpoint)}
        assert answer.json["code"] in declared, f"{function} answers {answer.json['code']}: declare it in `raises`"
    return answer
