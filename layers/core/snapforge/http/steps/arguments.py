"""Read path, query and body into the handler's typed arguments."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from snapforge.http.request import Request
from snapforge.kit.errors import BadRequest, InvalidPayload, Problem

if TYPE_CHECKING:
    from snapforge.http.endpoint import Endpoint

MAX_BODY_BYTES = 256 * 1024


class MalformedJson(BadRequest):
    code = "malformed_json"
    title = "The body is not JSON"
    fix = "Send a JSON document with `Content-Type: application/json`."


class InvalidQuery(BadRequest):
    code = "invalid_query"
    title = "The query string does not fit"


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = "The body is too large"
    fix = f"Keep it under {MAX_BODY_BYTES // 1024} KiB; files go through /v1/uploads/presign."


class UnsupportedMediaType(Problem):
    status = 415
    code = "unsupported_media_type"
    title = "Only JSON is read here"
    fix = "Send `Content-Type: application/json`."


def read(endpoint: "Endpoint", request: Request) -> None:
    """Fill path, query and body arguments; 400 malformed, 413 too large, 415 no JSON, 422 against the schema."""
    signature = endpoint.signature
    for name in signature.path:
        request.arguments[name] = request.path_parameters.get(name, "")
    if signature.query:
        name, schema = signature.query
        try:
            request.arguments[name] = schema.validate_python(request.query)
        except ValidationError as error:
            raise InvalidQuery(_summary(error), errors=_errors(error)) from error
    if signature.body:
        request.arguments[signature.body[0]] = _body(endpoint, request)


def _body(endpoint: "Endpoint", request: Request) -> Any:
    if len(request.body) > MAX_BODY_BYTES:
        raise BodyTooLarge()
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"{media_type!r} was sent.")
    assert endpoint.signature.body is not None  # noqa: S101 - the caller has looked
    try:
        return endpoint.signature.body[1].validate_json(request.body)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise MalformedJson(error.errors()[0]["msg"]) from error
        raise InvalidPayload(_summary(error), errors=_errors(error)) from error


def _errors(error: ValidationError) -> list[dict[str, str]]:
    """RFC 9457's `errors` member: a JSON pointer and a reason each; the input is not repeated, it may be a secret."""
    return [
        {"pointer": "/" + "/".join(str(part) for part in found["loc"]), "detail": found["msg"]}
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]


def _summary(error: ValidationError) -> str:
    first = _errors(error)[0]
    return f"{first['pointer']}: {first['detail']}"
