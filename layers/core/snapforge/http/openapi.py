"""The OpenAPI 3.1 document, derived from the endpoints: routes, schemas, errors, permissions.

Used by tools and tests only; no function imports it.
"""

import inspect
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter

from snapforge.aws.idempotency import KeyReused
from snapforge.http.endpoint import Endpoint
from snapforge.http.response import Response
from snapforge.http.serialize import InternalError
from snapforge.http.steps.arguments import BodyTooLarge, InvalidQuery, MalformedJson, UnsupportedMediaType
from snapforge.http.steps.idempotency import IdempotencyKeyNeeded
from snapforge.kit.errors import Forbidden, InvalidPayload, NotFound, Problem, RateLimited, Unauthenticated, Unavailable
from snapforge.kit.page import InvalidCursor
from snapforge.kit.schema import Schema

REF = "#/components/schemas/{model}"


class ProblemPart(Schema):
    """One thing that is wrong with a payload or query."""

    pointer: str
    """A JSON pointer (RFC 6901)."""
    detail: str


class ProblemDocument(Schema):
    """An error, by RFC 9457. Some codes have more members, told where they are."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    """Stable; programs decide by it."""
    detail: str
    retryable: bool
    """Whether the same request can succeed later, unchanged."""
    fix: str | None = None
    """What to do about it."""
    errors: list[ProblemPart] | None = None
    """What does not fit its schema, and where."""
    charged: int | None = None
    """Credits."""
    refunded: int | None = None
    instance: str | None = None


def document(endpoints: Iterable[Endpoint], *, version: str) -> dict[str, Any]:
    """The whole document, with keys in a fixed order so that two builds are equal byte for byte."""
    routes = sorted(endpoints, key=lambda endpoint: (endpoint.path, endpoint.method))
    schemas = _schemas(routes)
    paths: dict[str, Any] = {}
    for endpoint in routes:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Snapforge API",
            "version": version,
            "description": "Photos and prompts become pictures and 3D models. Errors are problem+json with a stable "
            "`code` and a `fix`. Lists are pages: send `next_cursor` back as `cursor`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.definitions.items())),
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "sf_live_… or sf_test_…"},
            },
        },
    }


class _Schemas:
    """Component definitions, and the schema of each annotation that an endpoint uses."""

    def __init__(self, schemas: dict[tuple[str, str], dict[str, Any]], definitions: dict[str, Any]) -> None:
        self._schemas = schemas
        self.definitions = definitions

    def body(self, endpoint: Endpoint) -> dict[str, Any]:
        """What the endpoint reads."""
        return self._schemas[f"{endpoint.name} body", "validation"]

    def query(self, endpoint: Endpoint) -> dict[str, Any]:
        """The query's object schema."""
        return self._resolved(self._schemas[f"{endpoint.name} query", "validation"])

    def answer(self, endpoint: Endpoint) -> dict[str, Any]:
        """What the endpoint writes."""
        return self._schemas[f"{endpoint.name} answer", "serialization"]

    @property
    def problem(self) -> dict[str, Any]:
        """The error document."""
        return self._schemas["problem", "serialization"]

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return found


def _schemas(routes: list[Endpoint]) -> _Schemas:
    wanted: list[tuple[str, Literal["validation", "serialization"], TypeAdapter[Any]]] = [
        ("problem", "serialization", TypeAdapter(ProblemDocument))
    ]
    for endpoint in routes:
        if endpoint.signature.body is not None:
            wanted.append((f"{endpoint.name} body", "validation", endpoint.signature.body[1]))
        if endpoint.signature.query is not None:
            wanted.append((f"{endpoint.name} query", "validation", endpoint.signature.query[1]))
        answer = _answer_type(endpoint)
        if answer is not None:
            wanted.append((f"{endpoint.name} answer", "serialization", TypeAdapter(answer)))
    schemas, top = TypeAdapter.json_schemas(wanted, ref_template=REF)
    return _Schemas({key: dict(schema) for key, schema in schemas.items()}, top.get("$defs", {}))


def _answer_type(endpoint: Endpoint) -> Any:
    """The body's model: the annotation, `Annotated[Response, Model]` where a handler answers with a Response."""
    kind = endpoint.returns
    if kind is Response:
        raise TypeError(f"{endpoint.name}: annotate `Annotated[Response, Schema]`, so that the body is documented")
    if get_origin(kind) is not None and Response in get_args(kind)[:1]:
        return get_args(kind)[1]
    return None if kind is type(None) else kind


def _operation(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(endpoint.function.__doc__ or endpoint.name).partition("\n")
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.path.split("/")[2].split(".")[0]],
        "summary": summary.strip(),
    }
    if description.strip():
        operation["description"] = description.strip()
    operation["security"] = [] if endpoint.permission is None else [{"session": []}, {"apiKey": []}]
    if endpoint.permission is not None:
        operation["x-permission"] = str(endpoint.permission)
    parameters = _parameters(endpoint, schemas)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.signature.body_type is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.body(endpoint)}},
        }
    operation["responses"] = _responses(endpoint, schemas)
    return operation


def _parameters(endpoint: Endpoint, schemas: _Schemas) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": form.json_schema() if form is not None else {"type": "string"},
        }
        for name, form in endpoint.signature.path.items()
    ]
    if endpoint.signature.query_type is not None:
        query = schemas.query(endpoint)
        made += [
            {"name": field, "in": "query", "required": field in query.get("required", ()), "schema": schema}
            for field, schema in query["properties"].items()
        ]
    if endpoint.idempotent:
        made.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "Fresh per piece of work. The same key and body answers the same for 24 hours.",
                "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[\\x21-\\x7e]+$"},
            }
        )
    return made


def problems(endpoint: Endpoint) -> list[type[Problem]]:
    """Every Problem that a client can meet at an endpoint, its own and the frame's."""
    found: list[type[Problem]] = list(endpoint.raises)
    if endpoint.permission is not None:
        found += [Unauthenticated, Forbidden, RateLimited]
    if endpoint.signature.body_type is not None:
        found += [MalformedJson, InvalidPayload, BodyTooLarge, UnsupportedMediaType]
    if endpoint.signature.query_type is not None:
        found += [InvalidQuery]
        if "cursor" in getattr(endpoint.signature.query_type, "model_fields", {}):
            found += [InvalidCursor]
    if endpoint.signature.path:
        found += [NotFound]
    if endpoint.idempotent:
        found += [IdempotencyKeyNeeded, KeyReused]
    found += [InternalError, Unavailable]
    return list(dict.fromkeys(found))


def _responses(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    answer = _answer_type(endpoint)
    if answer is None:
        made: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        content = {"application/json": {"schema": schemas.answer(endpoint)}}
        made = {
            str(status): {"description": "OK", "content": dict(content)}
            for status in (endpoint.status, *endpoint.other_statuses)
        }
    if endpoint.method == "GET" and answer is not None and endpoint.status == 200:
        made["304"] = {"description": "Unchanged since the `ETag` sent as `If-None-Match`."}
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in problems(endpoint):
        by_status.setdefault(problem.status, []).append(problem)
    for status, found in sorted(by_status.items()):
        codes = sorted({problem.code for problem in found})
        described = made.setdefault(str(status), {"description": "", "content": {}})
        described["description"] = "; ".join(f"`{problem.code}`: {problem.title}" for problem in found)
        described["content"]["application/problem+json"] = {
            "schema": {"allOf": [schemas.problem, {"properties": {"code": {"enum": codes}}}]}
        }
    return made
