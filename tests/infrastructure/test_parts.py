"""docs/parts.md and the markers of the tests name the same parts."""

import re
from itertools import groupby

import pytest

from infrastructure.tools import parts

TEXT = (parts.ROOT / "docs" / "parts.md").read_text()


def test_every_marker_names_a_part_of_the_list() -> None:
    marked = parts.marked()
    assert len(marked) > 20
    assert sorted(marked.keys() - parts.listed(TEXT).keys()) == []


def test_ids_stand_in_order_below_their_heading() -> None:
    """A part before its own statements, and each section once."""
    listed = list(parts.listed(TEXT))
    sections = [name for name, _ in groupby(part.partition("-")[0] for part in listed)]
    assert sections == re.findall(r"^## ([A-Z]{2,3}) ·", TEXT, re.MULTILINE)
    for section in sections:
        own = [part for part in listed if part.startswith(f"{section}-")]
        assert own == sorted(own, key=parts.place)
        assert {part.partition(".")[0] for part in own} <= set(own)


def test_every_line_of_the_list_is_read() -> None:
    """One with a misspelt id would be no part, in silence."""
    lines = re.findall(r"^- .*$", TEXT, re.MULTILINE)
    assert lines == [f"- {part}: {line}" for part, line in parts.listed(TEXT).items()]


def test_an_id_that_is_listed_twice_is_seen() -> None:
    with pytest.raises(ValueError, match=r"BIL-2\.1"):
        parts.listed("- BIL-2: a\n- BIL-2.1: b\n- BIL-2.1: c\n- BIL-21: d\n")
