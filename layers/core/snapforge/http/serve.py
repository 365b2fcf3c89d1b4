"""One HTTP event through a fixed list of steps to its handler, and back: shared by routes and function URLs."""

from collections.abc import Callable, Sequence
from typing import Any

from snapforge import observe
from snapforge.http import serialize
from snapforge.http.request import Request
from snapforge.http.route import Route

Event = dict[str, Any]
Step = Callable[[Route, Request], None]
"""Raises a Problem to refuse, or adds to the request what it found."""


def serve(route: Route, steps: Sequence[Step], event: Event, context: object) -> Event:
    """Serve one payload 2.0 event; every outcome is an HTTP response."""
    request = Request(event)

    def handle() -> Event:
        for step in steps:
            step(route, request)
        return serialize.response(request, route.function(**request.arguments), usual_status=route.status)

    with observe.http_request(
        route.name, context, route=f"{route.method} {route.path}", request_id=request.id
    ) as exchange:
        response = serialize.protected(request, handle)
        exchange.status, exchange.principal = response["statusCode"], request.principal
    return response
