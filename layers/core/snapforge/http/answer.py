"""From a handler's outcome to API Gateway's answer: JSON, replays, problem+json."""

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from snapforge.aws.idempotency import Replay
from snapforge.http import observe
from snapforge.http.reply import Reply
from snapforge.http.request import Request
from snapforge.kit.errors import Problem

if TYPE_CHECKING:
    from snapforge.http.endpoint import Endpoint

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


def protected(endpoint: "Endpoint", request: Request, serve: Callable[[Request], dict[str, Any]]) -> dict[str, Any]:
    """`serve`, with every error as an answer."""
    try:
        return serve(request)
    except Replay as replay:
        headers = replay.headers | {"idempotency-replayed": "true"}
        return _raw(request, replay.status, replay.body, JSON, headers)
    except Problem as problem:
        return write_problem(request, problem)
    except Exception:  # noqa: BLE001 - the last line: a client gets a 500 it can report, and the log all of it
        observe.logger().exception("unhandled error")
        number = request.event.get("requestContext", {}).get("requestId", "")
        return write_problem(request, InternalError(f"Tell support the request id {number}.", request_id=number))


def write(endpoint: "Endpoint", request: Request, outcome: Any) -> dict[str, Any]:
    """A schema, a Reply, or None (204)."""
    if not isinstance(outcome, Reply):
        outcome = Reply(outcome, endpoint.status if outcome is not None else 204)
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


def write_problem(request: Request, problem: Problem) -> dict[str, Any]:
    """RFC 9457."""
    text = json.dumps(problem.document() | {"instance": request.path})
    return _raw(request, problem.status, text, PROBLEM, problem.headers)


def _raw(
    request: Request, status: int, body: str, media_type: str, headers: dict[str, str], cookies: tuple[str, ...] = ()
) -> dict[str, Any]:
    told = SAFE_HEADERS | {name.lower(): value for name, value in (request.answer_headers | headers).items()}
    if media_type:
        told["content-type"] = media_type
    answered: dict[str, Any] = {"statusCode": status, "headers": told, "body": body, "isBase64Encoded": False}
    if cookies:
        answered["cookies"] = list(cookies)
    return answered
