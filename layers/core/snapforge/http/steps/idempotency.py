"""Read the Idempotency-Key where an endpoint needs one. The service writes its record; `serialize` replays it."""

import re

from snapforge.aws.idempotency import IdempotencyKey, fingerprint
from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import BadRequest

_SHAPE = re.compile(r"[\x21-\x7e]{8,128}")


class IdempotencyKeyNeeded(BadRequest):
    code = "idempotency_key_needed"
    title = "An Idempotency-Key is needed"
    fix = "Send the header `Idempotency-Key` with 8 to 128 printable characters, e.g. a fresh UUID per piece of work."


def read_key(route: Route, request: Request) -> None:
    """Fill the parameter of type IdempotencyKey; its scope is org, route and key."""
    if not route.idempotent:
        return
    key = request.headers.get("idempotency-key", "")
    if not _SHAPE.fullmatch(key):
        raise IdempotencyKeyNeeded()
    name = route.signature.key
    if name is None or request.principal is None:
        raise TypeError(f"{route.name}: an idempotent handler takes `key: IdempotencyKey` and a principal")
    request.arguments[name] = IdempotencyKey(
        org_id=request.principal.org_id,
        route=f"{route.method} {route.path}",
        key=key,
        fingerprint=fingerprint(request.method, request.path, request.body),
    )
