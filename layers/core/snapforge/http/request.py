"""One HTTP request, read once from API Gateway's payload 2.0 event."""

import base64
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from snapforge.kit.permissions import Principal

T = TypeVar("T")


class InBody:
    """Marks the parameter that takes the validated JSON body."""


class InQuery:
    """Marks the parameter that takes the validated query string."""


class InRawBody:
    """Marks the parameter that takes the body's bytes as they came."""


Body = Annotated[T, InBody]
Query = Annotated[T, InQuery]
RawBody = Annotated[bytes, InRawBody]
"""The body as it came: a webhook's signature is made over these very bytes."""


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """Where a request comes from."""

    address: str
    """The viewer's IP address."""
    user_agent: str
    cookies: dict[str, str]
    headers: dict[str, str]
    """Lower-case names."""


@dataclass
class Request:
    """The event, and what the steps have found out about it so far."""

    event: dict[str, Any]
    principal: Principal | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    """What steps want to see on the response, whatever it is (rate limits)."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """The handler's arguments, filled by the steps that know them."""

    @cached_property
    def headers(self) -> dict[str, str]:
        """Lower-case names, as API Gateway sends them."""
        return {name.lower(): value for name, value in (self.event.get("headers") or {}).items()}

    @cached_property
    def body(self) -> bytes:
        """The body's bytes, decoded where API Gateway had encoded them."""
        text = self.event.get("body") or ""
        return base64.b64decode(text) if self.event.get("isBase64Encoded") else text.encode()

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Name to value."""
        pairs = (cookie.partition("=") for cookie in self.event.get("cookies") or ())
        return {name.strip(): value for name, _, value in pairs}

    @property
    def id(self) -> str:
        """API Gateway's number of it; empty where there is none."""
        return str(self.event.get("requestContext", {}).get("requestId", ""))

    @property
    def method(self) -> str:
        """GET, POST …"""
        return str(self.event["requestContext"]["http"]["method"])

    @property
    def path(self) -> str:
        """The path as sent, without the query."""
        return str(self.event.get("rawPath", ""))

    @property
    def path_parameters(self) -> dict[str, str]:
        """Of the route's `{name}` parts."""
        return self.event.get("pathParameters") or {}

    @cached_property
    def query(self) -> dict[str, str | list[str]]:
        """The query string; a name sent more than once has a list."""
        found: dict[str, str | list[str]] = {}
        for name, value in parse_qsl(self.event.get("rawQueryString", ""), keep_blank_values=True):
            held = found.get(name)
            if held is None:
                found[name] = value
            else:
                found[name] = [*held, value] if isinstance(held, list) else [held, value]
        return found

    @cached_property
    def client(self) -> ClientInfo:
        """The viewer: the edge passes the address in `x-viewer-ip`, since API Gateway sees CloudFront's own."""
        source = str(self.event["requestContext"]["http"].get("sourceIp", ""))
        return ClientInfo(
            address=self.headers.get("x-viewer-ip", source),
            user_agent=self.headers.get("user-agent", "")[:200],
            cookies=self.cookies,
            headers=self.headers,
        )
