"""What an entry of the report is, and the arithmetic of all of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One measure. `ratio` is ours ÷ peer where there is a peer; the aim is an upper bound on the ratio, or on ours."""

    name: str
    ours: float | None
    peer: float | None
    aim: float | None
    unit: str
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours in terms of the peer's."""
        return None if self.ours is None or not self.peer else self.ours / self.peer

    @property
    def met(self) -> bool | None:
        """Whether the aim holds; None where there is no aim or nothing was measured."""
        value = self.ratio if self.peer else self.ours
        return None if value is None or self.aim is None else value <= self.aim

    def document(self) -> dict[str, Any]:
        """As docs/benchmarks.json holds it."""
        numbers = asdict(self) | {"ratio": self.ratio, "met": self.met}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in numbers.items()}


@dataclass(frozen=True, slots=True)
class Table:
    """Details of a section."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Some measures, what they mean, and their details."""

    title: str
    text: str
    entries: tuple[Entry, ...]
    tables: tuple[Table, ...] = ()
    measured: str = ""
    """When, of what and under which load, where that is not the page's."""


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie, nearest rank."""
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]
