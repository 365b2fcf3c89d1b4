"""What a handler answers when a plain schema with status 200 is not enough."""

from dataclasses import dataclass, field

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its status, headers and cookies; `body` None means no content."""

    body: BaseModel | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


def created(body: BaseModel, *, at: str) -> Reply:
    """201, with the new thing's address."""
    return Reply(body, 201, {"location": at})


def accepted(body: BaseModel, *, at: str | None = None) -> Reply:
    """202: the work goes on; `at` is where to ask."""
    return Reply(body, 202, {"location": at} if at else {})


def reply(
    body: BaseModel | None,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    cookies: tuple[str, ...] | list[str] = (),
) -> Reply:
    """Any answer; `cookies` are whole Set-Cookie values."""
    return Reply(body, status or (204 if body is None else 200), headers or {}, tuple(cookies))
