"""What a handler asks for, read from its parameters once per process."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from snapforge.aws.idempotency import IdempotencyKey
from snapforge.http.request import ClientInfo, InBody, InQuery, InRawBody
from snapforge.kit.permissions import Principal


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameter names by source; a schema where there is one."""

    principal: str | None
    client: str | None
    key: str | None
    path: dict[str, TypeAdapter[str] | None]
    """With the id's form where the handler names one (`JobId`); plain `str`: any id of ours."""
    body: tuple[str, TypeAdapter[Any]] | None
    query: tuple[str, TypeAdapter[Any]] | None
    raw_body: str | None = None
    body_type: Any = None
    query_type: Any = None


def read(function: Callable[..., Any], path_names: Iterable[str]) -> Signature:
    """Sort the parameters. TypeError for one that comes from nowhere, or a path part that nobody takes."""
    hints = get_type_hints(function, include_extras=True)
    rest = {name: hints.get(name) for name in inspect.signature(function).parameters}
    path = {name: _path_form(function, name, rest.pop(name, None)) for name in path_names}
    body = _pop_marked(rest, InBody)
    query = _pop_marked(rest, InQuery)
    raw = _pop_marked(rest, InRawBody)
    found = Signature(
        principal=_pop_typed(rest, Principal),
        client=_pop_typed(rest, ClientInfo),
        key=_pop_typed(rest, IdempotencyKey),
        path=path,
        body=(body[0], TypeAdapter(body[1])) if body else None,
        query=(query[0], TypeAdapter(query[1])) if query else None,
        raw_body=raw[0] if raw else None,
        body_type=body[1] if body else None,
        query_type=query[1] if query else None,
    )
    if rest:
        raise TypeError(f"{function.__module__}: nothing fills the parameters {sorted(rest)}")
    return found


def _path_form(function: Callable[..., Any], name: str, hint: Any) -> TypeAdapter[str] | None:
    if hint is str:
        return None
    if get_origin(hint) is Annotated and get_args(hint)[0] is str:
        return TypeAdapter(hint)
    raise TypeError(
        f"{function.__module__}: the path has {{{name}}}, so the handler takes `{name}: str`, or an id type"
    )


def _pop_marked(hints: dict[str, Any], mark: type) -> tuple[str, Any] | None:
    for name, hint in hints.items():
        if get_origin(hint) is Annotated and mark in get_args(hint)[1:]:
            schema, *marks = get_args(hint)
            del hints[name]
            others = tuple(m for m in marks if m is not mark)
            return name, (Annotated[(schema, *others)] if others else schema)
    return None


def _pop_typed(hints: dict[str, Any], kind: type) -> str | None:
    for name, hint in hints.items():
        if hint is kind:
            del hints[name]
            return name
    return None
