"""`@pytest.mark.part("JOB-3")` must name a part that docs/parts.md lists."""

import pytest

from infrastructure.tools.parts import ROOT, listed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a marker for a part that does not exist."""
    known = listed((ROOT / "docs" / "parts.md").read_text())
    for item in items:
        for mark in item.iter_markers("part"):
            for part in mark.args:
                if part not in known:
                    raise pytest.UsageError(f"{item.nodeid}: docs/parts.md has no part {part!r}")
