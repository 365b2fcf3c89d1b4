"""Health, live and deep."""

import time
from collections.abc import Callable

from snapforge.admin.schemas import DeepHealth, Health, State
from snapforge.aws.errors import AwsError
from snapforge.aws.probes import PROBES
from snapforge.kit import clock

KEPT_SECONDS = 10.0
_last: tuple[float, DeepHealth] | None = None


def live() -> Health:
    """This process runs."""
    return Health(status="ok", at=clock.now())


def deep() -> DeepHealth:
    """Ask every dependency. The answer is kept for ten seconds, so that asking often is no load."""
    global _last  # noqa: PLW0603 - the process's own memory
    if _last is None or time.monotonic() - _last[0] > KEPT_SECONDS:
        checks = {name: _state(probe) for name, probe in PROBES.items()}
        failed = "failed" in checks.values()
        _last = (time.monotonic(), DeepHealth(status="failed" if failed else "ok", at=clock.now(), checks=checks))
    return _last[1]


def _state(probe: Callable[[], None]) -> State:
    try:
        probe()
    except AwsError:
        return "failed"
    return "ok"
