"""`@pytest.mark.part("JOB-3")` must name a part that docs/parts.md lists."""

import re
from pathlib import Path

import pytest

PARTS_FILE = Path(__file__).parents[2] / "docs" / "parts.md"


def known_parts() -> dict[str, str]:
    """Part id to its line, from docs/parts.md (`- JOB-3: …`)."""
    found = re.findall(r"^- ([A-Z]{2,3}-\d+): (.+)$", PARTS_FILE.read_text(), re.MULTILINE)
    return dict(found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a marker for a part that does not exist."""
    known = known_parts()
    for item in items:
        for mark in item.iter_markers("part"):
            for part in mark.args:
                if part not in known:
                    raise pytest.UsageError(f"{item.nodeid}: docs/parts.md has no part {part!r}")
