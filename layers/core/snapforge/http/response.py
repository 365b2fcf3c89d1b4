"""What a handler returns when a plain schema with status 200 is not enough."""

from dataclasses import dataclass, field

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Response:
    """A body with its status, headers and cookies; `body` None means no content."""

    body: BaseModel | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


def created(body: BaseModel, *, at: str) -> Response:
    """201, with the new thing's address."""
    return Response(body, 201, {"location": at})


def accepted(body: BaseModel, *, at: str | None = None) -> Response:
    """202: the work goes on; `at` is where to ask."""
    return Response(body, 202, {"location": at} if at else {})


def respond(
    body: BaseModel | None,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    cookies: tuple[str, ...] | list[str] = (),
) -> Response:
    """Any response; `cookies` are whole Set-Cookie values."""
    return Response(body, status or (204 if body is None else 200), headers or {}, tuple(cookies))
