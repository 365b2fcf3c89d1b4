"""`@function_url`: a provider's webhook at a Lambda URL. The signature is checked over the bytes as they came."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.http.serve import Event, serve
from snapforge.http.steps import arguments, client_info
from snapforge.kit.errors import Problem

Verify = Callable[[bytes, Mapping[str, str]], None]
"""Takes the raw body and the headers (lower-case names); raises a Problem (401) unless they are the provider's."""


class OnlyPost(Problem):
    status = 405
    code = "only_post"
    title = "This address takes POST"


@dataclass(eq=False)
class FunctionUrl(Route):
    """A route of its own at a Lambda URL; calling it serves one event."""

    verify: Verify | None = None

    def __call__(self, event: Event, context: object) -> Event:
        """Serve one event. A provider takes any status from 300 as `send it again`."""
        return serve(self, STEPS, event, context)


def _require_post(route: Route, request: Request) -> None:
    if request.method != "POST":
        raise OnlyPost(headers={"allow": "POST"})


def _verify_signature(route: Route, request: Request) -> None:
    assert isinstance(route, FunctionUrl)  # noqa: S101 - STEPS are for nothing else
    if route.verify is None:
        raise TypeError(f"{route.name} does not say how its caller is verified")
    route.verify(arguments.limited_body(request), request.headers)


STEPS = (_require_post, _verify_signature, client_info.give_client_info, arguments.read)


def function_url(
    *, verify: Verify, raises: tuple[type[Problem], ...] = ()
) -> Callable[[Callable[..., Any]], FunctionUrl]:
    """Make a function the handler of a Lambda URL: it takes a `RawBody` or `Body[Schema]` that `verify` let in."""
    return lambda function: FunctionUrl("POST", "/", function, raises=raises, verify=verify)
