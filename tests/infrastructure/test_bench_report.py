"""The bench's report: a section measured alone takes its place, and comes back as it was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.results import Entry, Section, Table


def section(title: str, ours: float) -> Section:
    table = Table("Rungs", ("rung", "px"), (("one", "0.3"), ("two", "0.4")))
    return Section(title, "What it means.", (Entry(f"{title}.s", ours, 2.0, 1.5, "s", "a note"),), (table,))


@pytest.fixture(autouse=True)
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(report, "DOCUMENT", tmp_path / "document.json")
    report.write([section("Cold", 1.0), section("Scene", 2.0), section("Warm", 3.0)])


def test_a_section_alone_takes_its_place_in_both_files_and_says_when() -> None:
    report.put(section("Scene", 2.5))
    titles = [one["title"] for one in json.loads(report.DOCUMENT.read_text())["sections"]]
    assert titles == ["Cold", "Scene", "Warm"]
    page = report.PAGE.read_text()
    assert [part.partition("\n")[0] for part in page.split("\n\n## ")[1:]] == titles
    assert "| Scene.s | 2.5 | 2 | 1.25 | 1.5 | yes | s | a note |" in page
    assert page.count("\n\nMeasured 20") == 1
    assert page.count("### Rungs") == 3


def test_a_section_is_kept_whole_with_the_run_that_measured_it() -> None:
    kept = report.kept("Scene")
    assert kept is not None
    assert kept.measured.startswith(json.loads(report.DOCUMENT.read_text())["date"])
    assert replace(kept, measured="") == section("Scene", 2.0)


def test_a_new_section_comes_last() -> None:
    report.put(section("Images", 1.0))
    assert report.PAGE.read_text().index("## Images") > report.PAGE.read_text().index("## Warm")
    assert report.kept("Images") is not None


def test_what_was_never_measured_is_not_kept() -> None:
    assert report.kept("Poses") is None
