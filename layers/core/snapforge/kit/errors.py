"""Errors that a customer may see, in the vocabulary of RFC 9457.

A context declares its errors as subclasses with class-level `status`, `code` and `title`; `http` writes them as
problem+json, and the OpenAPI document lists them per endpoint from `raises=`.
"""

from typing import Any, ClassVar


class Problem(Exception):
    """A business error: expected, explained, and never anybody's page at night."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "Bad request"
    fix: ClassVar[str] = ""
    """What the customer can do, when it is the same each time."""
    retryable: ClassVar[bool] = False
    """Whether the same request can succeed later, unchanged."""

    def __init__(
        self,
        detail: str = "",
        *,
        fix: str | None = None,
        charged: int | None = None,
        refunded: int | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        """`charged` and `refunded` are credits; `extra` members go into the problem document as they are."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.hint = self.fix if fix is None else fix
        self.charged = charged
        self.refunded = refunded
        self.headers = headers or {}
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """The body of application/problem+json."""
        body: dict[str, Any] = {
            "type": f"/docs/#{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "retryable": self.retryable,
        }
        if self.hint:
            body["fix"] = self.hint
        if self.charged is not None:
            body["charged"] = self.charged
        if self.refunded is not None:
            body["refunded"] = self.refunded
        return body | self.extra


class BadRequest(Problem):
    """The request itself cannot be read."""


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = "Sign in or send an API key"
    fix = "Send `Authorization: Bearer <access token or API key>`."


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(Problem):
    """Absent, or not yours: the two are never told apart."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = "Not possible in the present state"


class InvalidPayload(Problem):
    status = 422
    code = "invalid_payload"
    title = "The payload does not fit its schema"


class RateLimited(Problem):
    status = 429
    code = "rate_limited"
    title = "Too many requests"
    retryable = True


class Unavailable(Problem):
    status = 503
    code = "temporarily_unavailable"
    title = "Please try again"
    retryable = True
