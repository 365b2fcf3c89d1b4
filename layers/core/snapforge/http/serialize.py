"""From a handler's outcome to the HTTP response: JSON, replays, problem+json."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from snapforge import observe
from snapforge.aws.idempotency import Replay
from snapforge.http.request import Request
from snapforge.http.response import Response
from snapforge.kit.errors import Problem

JSON = "application/json"
PROBLEM = "application/problem+json"
SAFE_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class InternalError(Problem):
    """Ours. The customer gets the request's id, the log gets the trace, somebody gets paged."""

    status = 500
    code = "internal_error"
    title = "Something broke on our side"
    retryable = True


def protected(request: Request, handle: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `handle` returns, with every error as a response."""
    try:
        return handle()
    except Replay as replay:
        headers = replay.headers | {"idempotency-replayed": "true"}
        return _raw(request, replay.status, replay.body, JSON, headers)
    except Problem as error:
        return problem(request, error)
    except Exception:  # noqa: BLE001 - the last line: a client gets a 500 it can report, and the log all of it
        observe.logger().exception("unhandled error")
        return problem(request, InternalError(f"Tell support the request id {request.id}.", request_id=request.id))


def response(request: Request, outcome: Any, *, usual_status: int) -> dict[str, Any]:
    """Of a schema (with the route's usual status), a Response, or None (204)."""
    if not isinstance(outcome, Response):
        outcome = Response(outcome, usual_status if outcome is not None else 204)
    if outcome.body is None:
        return _raw(request, outcome.status, "", "", outcome.headers, outcome.cookies)
    text = body_text(outcome.body)
    headers = dict(outcome.headers)
    if request.method == "GET" and outcome.status == 200:
        headers["etag"] = f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'
        # A poller that has this state already gets no body again.
        headers["cache-control"] = "private, no-cache"
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return _raw(request, 304, "", "", headers)
    return _raw(request, outcome.status, text, JSON, headers, outcome.cookies)


def body_text(body: BaseModel) -> str:
    """The JSON of a schema, as it is sent and as an idempotency record keeps it."""
    return body.model_dump_json(exclude_none=True)


def problem(request: Request, error: Problem) -> dict[str, Any]:
    """RFC 9457."""
    text = json.dumps(error.document() | {"instance": request.path})
    return _raw(request, error.status, text, PROBLEM, error.headers)


def _raw(
    request: Request, status: int, body: str, media_type: str, headers: dict[str, str], cookies: tuple[str, ...] = ()
) -> dict[str, Any]:
    sent = SAFE_HEADERS | {name.lower(): value for name, value in (request.response_headers | headers).items()}
    if media_type:
        sent["content-type"] = media_type
    raw: dict[str, Any] = {"statusCode": status, "headers": sent, "body": body, "isBase64Encoded": False}
    if cookies:
        raw["cookies"] = list(cookies)
    return raw
