"""Health, live and deep."""

import time

from snapforge.admin import contexts
from snapforge.admin.schemas import DeepHealth, Health, State
from snapforge.aws import probes
from snapforge.aws.errors import AwsError
from snapforge.kit import clock
from snapforge.kit.ownership import Probe

KEPT_SECONDS = 10.0
_last: tuple[float, DeepHealth] | None = None


def live() -> Health:
    """This process runs."""
    return Health(status="ok", at=clock.now())


def deep() -> DeepHealth:
    """Ask every dependency. The answer is kept for ten seconds, so that asking often is no load."""
    global _last  # noqa: PLW0603 - the process's own memory
    if _last is None or time.monotonic() - _last[0] > KEPT_SECONDS:
        checks = {name: _state(probe) for name, probe in dependencies().items()}
        failed = "failed" in checks.values()
        _last = (time.monotonic(), DeepHealth(status="failed" if failed else "ok", at=clock.now(), checks=checks))
    return _last[1]


def dependencies() -> dict[str, Probe]:
    """All tables as one, and what each context says that it needs."""
    return {"tables": _tables} | {
        name: probe for one in contexts.CONTEXTS.values() for name, probe in one.probes.items()
    }


def _tables() -> None:
    for name in contexts.tables():
        probes.table(name)


def _state(probe: Probe) -> State:
    try:
        probe()
    except AwsError:
        return "failed"
    return "ok"
