"""A rate limit for sessions, kept in the process.

API keys are counted exactly in the call that authenticates them, and sign-in routes by address; a session token is
verified without a call, so its limit is counted by each warm process alone. It stops runaway pages; WAF stops attacks.
"""

import time

from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import RateLimited
from snapforge.kit.limits import Allowance

LIMIT = 120
WINDOW_SECONDS = 60
_KEPT = 10_000
_counts: dict[tuple[str, int], int] = {}


def count_session(route: Route, request: Request) -> None:
    """Count this request of a user; RateLimited past LIMIT per WINDOW_SECONDS."""
    principal = request.principal
    if principal is None or principal.key_id is not None or principal.user_id is None:
        return
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    if len(_counts) > _KEPT:
        _counts.clear()
    counted = _counts.get((principal.user_id, window), 0) + 1
    _counts[principal.user_id, window] = counted
    allowance = Allowance(
        limit=LIMIT,
        remaining=max(0, LIMIT - counted),
        reset_seconds=int((window + 1) * WINDOW_SECONDS - now) + 1,
        exceeded=counted > LIMIT,
    )
    request.response_headers |= allowance.headers()
    if allowance.exceeded:
        raise RateLimited(f"At most {LIMIT} requests a minute.", headers=allowance.headers())
