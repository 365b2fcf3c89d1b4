"""docs/benchmarks.md and .json."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.results import Entry, Section, Table

ROOT = Path(__file__).resolve().parents[2]
WORDS = """Written by `make bench`. Ratios are ours ÷ peer within one run, so that they hold on other machines; an aim
is an upper limit on the ratio, or on ours where there is no peer."""
DOCUMENT = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
_KEPT = ("name", "ours", "peer", "aim", "unit", "note")


def write(sections: Sequence[Section]) -> None:
    """Both files."""
    where = machine()
    _write_document({**where, "sections": [_document(section) for section in sections]})
    PAGE.write_text(_page(where, sections))


def put(section: Section) -> None:
    """One section into both files, in place of the last one of its title; all else stays as it was measured."""
    stamped = replace(section, measured=_stamp(machine()))
    found = json.loads(DOCUMENT.read_text())
    titles = [one["title"] for one in found["sections"]]
    found["sections"] = _in_place(found["sections"], titles, _document(stamped), section.title)
    _write_document(found)
    head, *parts = PAGE.read_text().rstrip("\n").split("\n\n## ")
    titles = [part.partition("\n")[0] for part in parts]
    parts = _in_place(parts, titles, _section(stamped).removeprefix("## "), section.title)
    PAGE.write_text("\n\n## ".join([head, *parts]) + "\n")


def _in_place(parts: list[Any], titles: list[str], fresh: Any, title: str) -> list[Any]:
    if title not in titles:
        return [*parts, fresh]
    return [fresh if one == title else part for part, one in zip(parts, titles, strict=True)]


def kept(title: str) -> Section | None:
    """The section of this title as it was measured last; None where it never was, or by a bench that kept no tables."""
    found = json.loads(DOCUMENT.read_text()) if DOCUMENT.exists() else {"sections": []}
    section = next((one for one in found["sections"] if one["title"] == title and "tables" in one), None)
    if section is None:
        return None
    entries = (Entry(*(line[key] for key in _KEPT)) for line in section["entries"])
    tables = (Table(one["title"], tuple(one["head"]), tuple(map(tuple, one["rows"]))) for one in section["tables"])
    return Section(title, section["text"], tuple(entries), tuple(tables), section["measured"] or _stamp(found))


def _document(section: Section) -> dict[str, Any]:
    return {**asdict(section), "entries": [entry.document() for entry in section.entries]}


def _stamp(where: Mapping[str, Any]) -> str:
    return "{date}, {cores} cores of {cpu}, load {load} (five minutes), commit {commit}.".format(**where)


def _write_document(content: dict[str, Any]) -> None:
    DOCUMENT.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, Any]:
    """When, where, of what."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cores": os.cpu_count(),
        "cpu": models[0] if models else "unknown",
        "load": round(os.getloadavg()[1], 1),
        "commit": commit.stdout.strip(),
    }


def _page(where: dict[str, Any], sections: Sequence[Section]) -> str:
    parts = [
        "# Benchmarks",
        WORDS,
        _stamp(where),
    ]
    for section in sections:
        parts.append(_section(section))
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    measured = [f"Measured {section.measured}"] if section.measured else []
    parts = [f"## {section.title}", section.text, *measured, _entries(section.entries)]
    parts += [f"### {table.title}\n\n{_table(table)}" for table in section.tables]
    return "\n\n".join(parts)


def _entries(entries: Sequence[Entry]) -> str:
    rows = tuple(
        (
            entry.name,
            _number(entry.ours),
            _number(entry.peer),
            _number(entry.ratio),
            _number(entry.aim),
            {True: "yes", False: "**no**", None: ""}[entry.met],
            entry.unit,
            entry.note,
        )
        for entry in entries
    )
    return _table(Table("", ("measure", "ours", "peer", "ratio", "aim ≤", "met", "unit", "note"), rows))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _table(table: Table) -> str:
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
