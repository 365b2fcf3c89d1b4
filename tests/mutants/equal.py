"""equal.toml: survivors that a person has judged to change nothing that can be seen, each with the reason.

An entry names the module, the operator, the line's text and what it becomes, so that it stays true when lines move and
is reported when it is of no line any more.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("equal.toml")


@dataclass(frozen=True)
class Equal:
    """One judgement. `line` and `becomes` are without indentation."""

    module: str
    operator: str
    line: str
    becomes: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.module, self.operator, self.line, self.becomes


def load(file: Path = FILE) -> list[Equal]:
    """All entries; ValueError where one has no reason."""
    entries = [Equal(**fields) for fields in tomllib.loads(file.read_text()).get("equal", [])]
    for entry in entries:
        if not entry.reason.strip():
            raise ValueError(f"{file.name}: {entry.line!r} has no reason")
    return entries


def unmatched(entries: Iterable[Equal], changes: Mapping[tuple[str, str, str], Iterable[str]]) -> list[Equal]:
    """Entries that match no mutant. `changes`: module, operator and line to all that the line can become."""
    return [entry for entry in entries if entry.becomes not in changes.get(entry.key[:3], ())]
