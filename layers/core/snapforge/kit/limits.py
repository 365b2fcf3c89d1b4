"""Rate limits, as the `RateLimit-*` headers tell them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after counting this request."""

    limit: int
    """Requests per window."""
    remaining: int
    """Never below 0."""
    reset_seconds: int
    """Until the window starts anew or a token is back."""
    exceeded: bool = False

    def headers(self) -> dict[str, str]:
        """`RateLimit-*`, and `Retry-After` when exceeded."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }
        return headers | ({"Retry-After": str(max(1, self.reset_seconds))} if self.exceeded else {})
