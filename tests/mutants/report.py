"""docs/mutants.md and .json: how many mutants of each package were noticed, and all that were not."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.report import machine
from tests.mutants.equal import Equal
from tests.mutants.settings import ROOT
from tests.mutants.trial import Result

PAGE = ROOT / "docs" / "mutants.md"
DOCUMENT = ROOT / "docs" / "mutants.json"
AIM = 0.9
_WORDS = """Written by `make mutants`. A mutant is one small wrong change of the code: `<` for `<=`, a number off by
one, a call left out. Each of the sample is held against the tests of its package. It is killed where one fails, or
where they do not end in three times their time; it is equal where a person judged that nothing can be seen of it
(`tests/mutants/equal.toml` says why); else it survived. The share is killed ÷ (tried less equal); the aim is 90 %.
The sample is drawn by seed; a stratum is a family of operators in a package, and its part grows with the root of its
size. What is not mutated stands in `tests/mutants/settings.toml`."""


@dataclass(frozen=True)
class Sample:
    """What was drawn, of how many, and what came of those that were tried. `places`: all mutants of each package."""

    seed: int
    size: int
    places: dict[str, int]
    results: Sequence[Result]
    equal: frozenset[tuple[str, str, str, str]]

    @property
    def survivors(self) -> list[Result]:
        """Without those judged equal, in the order of the files."""
        found = [one for one in self.results if _kind(one, self.equal) == "survived"]
        return sorted(found, key=lambda one: (one.module, one.number, one.operator))

    def counts(self, group: str, name: str) -> dict[str, Any]:
        """Of one package or family, or of all where the name is empty."""
        chosen = [one for one in self.results if not name or getattr(one, group) == name]
        kinds = Counter(_kind(one, self.equal) for one in chosen)
        noticed, judged = kinds["killed"] + kinds["timeout"], len(chosen) - kinds["equal"]
        share = round(noticed / judged, 4) if judged else None
        return {"tried": len(chosen), **{kind: kinds[kind] for kind in _KINDS}, "share": share}


_KINDS = ("killed", "timeout", "equal", "survived")


def _kind(result: Result, equal: Iterable[tuple[str, str, str, str]]) -> str:
    return "equal" if result.verdict == "survived" and result.key in equal else result.verdict


def write(sample: Sample, page: Path = PAGE, document: Path = DOCUMENT) -> None:
    """Both files."""
    told = _document(sample)
    document.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    page.write_text(_page(told))


def _document(sample: Sample) -> dict[str, Any]:
    return {
        **machine(),
        "seed": sample.seed,
        "sample": sample.size,
        "aim": AIM,
        "all": {"mutants": sum(sample.places.values()), **sample.counts("", "")},
        "packages": {
            name: {"mutants": places, **sample.counts("package", name)} for name, places in sample.places.items()
        },
        "families": {name: sample.counts("family", name) for name in sorted({one.family for one in sample.results})},
        "survivors": [
            {name: getattr(one, name) for name in ("package", "module", "operator", "line", "becomes")}
            for one in sample.survivors
        ],
    }


def _page(told: dict[str, Any]) -> str:
    head = "{date}, {cores} cores of {cpu}, load {load} (five minutes), commit {commit}, seed {seed}.".format(**told)
    figure = f"**{percent(told['all']['share'])}** of the mutants that are not equal were killed: {_counted(told)}."
    packages = _table("package", ("mutants", "tried", *_KINDS), {**told["packages"], "all": told["all"]})
    families = _table("family of operators", ("tried", *_KINDS), told["families"])
    survivors = [f"- `{one['module']}`: `{one['line']}` became `{one['becomes']}`" for one in told["survivors"]]
    parts = ["# Mutants", _WORDS, head, figure, packages, families, "## Survivors", "\n".join(survivors) or "None."]
    return "\n\n".join(parts) + "\n"


def _counted(told: dict[str, Any]) -> str:
    return "{tried} tried of a sample of {size}, {equal} of them equal".format(**told["all"], size=told["sample"])


def _table(title: str, columns: Sequence[str], rows: dict[str, dict[str, Any]]) -> str:
    lines = [f"| {title} | {' | '.join(columns)} | share |", "| --- " * (len(columns) + 2) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(str(row[column]) for column in columns)} | {percent(row['share'])} |")
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """As a person reads it."""
    return "-" if share is None else f"{100 * share:.1f} %"


def survivors(results: Iterable[Result]) -> str:
    """Each with its diff, and the entry of equal.toml that would judge it."""
    return "\n\n".join(
        f"## {one.module}:{one.number} ({one.tests} tests)\n\n```diff\n{one.diff}\n```\n\n{entry(one)}"
        for one in results
    )


def entry(result: Result) -> str:
    """The survivor as an entry of equal.toml, its reason left open."""
    fields = {"module": result.module, "operator": result.operator, "line": result.line, "becomes": result.becomes}
    lines = [f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in fields.items()]
    return "\n".join(["```toml", "[[equal]]", *lines, 'reason = ""', "```"])


def judged_wrongly(entries: Iterable[Equal], results: Iterable[Result]) -> list[Result]:
    """Killed, though a person called them equal."""
    keys = {entry.key for entry in entries}
    return [one for one in results if one.verdict != "survived" and one.key in keys]
