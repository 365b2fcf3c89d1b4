"""When the signed links of answers end."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from snapforge.kit import clock

FROZEN = datetime(2031, 3, 1, 12, 1, tzinfo=UTC)
"""A minute after the hour, so that each step of time shows."""


def freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is FROZEN from now on."""
    monkeypatch.setattr(clock, "now", lambda: FROZEN)


def ends(url: str | None) -> datetime:
    """Until when the address is good, by its own policy."""
    assert url is not None
    (expires,) = parse_qs(urlsplit(url).query)["Expires"]
    return datetime.fromtimestamp(int(expires), tz=UTC)
