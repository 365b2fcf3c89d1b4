"""The providers' server, and time that does not pass while a call waits to be asked again."""

from collections.abc import Iterator

import pytest

from snapforge.providers import calls, replicate
from tests.support.providers import Served, serving


@pytest.fixture
def served() -> Iterator[Served]:
    """A fresh server."""
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are short."""
    monkeypatch.setattr(calls, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(replicate, "POLL_SECONDS", 0.01)
