"""Read path, query and body into the handler's typed arguments."""

import json
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import BadRequest, InvalidPayload, NotFound, Problem

MAX_BODY_BYTES = 256 * 1024
_PATH_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What an id of ours can be. DynamoDB answers an error for an empty or an overlong key, which would be our 500."""


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


def read(route: Route, request: Request) -> None:
    """Fill path, query and body arguments.

    404 for what is no id, 400 malformed, 413 too large, 415 no JSON, 422 against the schema.
    """
    signature = route.signature
    for name, form in signature.path.items():
        request.arguments[name] = _path_part(route, request.path_parameters.get(name, ""), form)
    if signature.query:
        name, schema = signature.query
        try:
            request.arguments[name] = schema.validate_python(request.query)
        except ValidationError as error:
            raise _refused(InvalidQuery, error, request.query) from error
    if signature.raw_body:
        request.arguments[signature.raw_body] = limited_body(request)
    if signature.body:
        request.arguments[signature.body[0]] = _body(signature.body[1], request)


def _path_part(route: Route, value: str, form: TypeAdapter[str] | None) -> str:
    """The value, if it can be an id of that form; else the NotFound that this route raises for an absent one."""
    absent = next((problem for problem in route.raises if issubclass(problem, NotFound)), NotFound)
    if not _PATH_PART.fullmatch(value):
        raise absent()
    if form is not None:
        try:
            form.validate_python(value)
        except ValidationError as error:
            raise absent() from error
    return value


def limited_body(request: Request) -> bytes:
    """The body's bytes; BodyTooLarge above MAX_BODY_BYTES."""
    if len(request.body) > MAX_BODY_BYTES:
        raise BodyTooLarge()
    return request.body


def _body(schema: TypeAdapter[Any], request: Request) -> Any:
    body = limited_body(request)
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"{media_type!r} was sent.")
    try:
        return schema.validate_json(body)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise MalformedJson(error.errors()[0]["msg"]) from error
        raise _refused(InvalidPayload, error, json.loads(body)) from error


def _refused(kind: type[Problem], error: ValidationError, sent: Any) -> Problem:
    """With RFC 9457's `errors` member: a pointer and a reason each; the input is not repeated, it may be a secret."""
    found = [
        {"pointer": _pointer(one["loc"], sent), "detail": one["msg"].removeprefix("Value error, ")}
        for one in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    ]
    first = found[0]
    return kind(f"{first['pointer']}: {first['detail']}" if first["pointer"] else first["detail"], errors=found)


def _pointer(location: tuple[int | str, ...], sent: Any) -> str:
    """A JSON pointer into what was sent. Pydantic's location also names the branch of a union; that is left out."""
    parts, value = [], sent
    for index, part in enumerate(location):
        members: Any = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(members, dict) and part in members:
            value = members[part]
        elif index < len(location) - 1:
            continue
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)
