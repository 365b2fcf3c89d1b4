"""Refuse requests that did not come through CloudFront, where an edge is deployed."""

import hmac
import os

from snapforge.aws import secrets
from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import Forbidden


class NotThroughEdge(Forbidden):
    code = "not_through_edge"
    title = "This address is not public"
    fix = "Use the public address of the API."


def require_edge(route: Route, request: Request) -> None:
    """Compare `x-origin-verify` with the secret named by ORIGIN_SECRET; two are valid while rotating."""
    name = os.environ.get("ORIGIN_SECRET")
    if not name:
        return
    ring = secrets.read(name)
    sent = request.headers.get("x-origin-verify", "").encode()
    known = [value for value in (ring.get("current"), ring.get("previous")) if value]
    if not any(hmac.compare_digest(sent, value.encode()) for value in known):
        raise NotThroughEdge()
