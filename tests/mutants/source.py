"""All mutants of a module, and the source with one of them in it."""

import ast
import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from cosmic_ray.ast import Visitor, ast_nodes, get_ast
from cosmic_ray.operators.operator import Operator

from tests.mutants.operators import operator
from tests.mutants.settings import Package, Settings


@dataclass(frozen=True)
class Mutant:
    """One change of one place. `occurrence` counts the operator's places in the module, as cosmic-ray does; `nth` only
    those on lines of the same text, so that the mutant's id survives moves of lines."""

    package: str
    family: str
    module: str
    operator: str
    occurrence: int
    nth: int
    first: int
    last: int
    line: str

    @cached_property
    def id(self) -> str:
        """Short, and the same while the line's text is."""
        told = "\n".join((self.module, self.operator, self.line, str(self.nth)))
        return sha256(told.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Change:
    """What a mutant does to its module."""

    source: str
    diff: str
    becomes: str
    """The changed line, without its indentation: with several, the first."""


class _Planting(Visitor):  # type: ignore[misc]
    """Walks a tree and mutates the operator's place of that number. cosmic-ray's own needs its plug-ins."""

    def __init__(self, wanted: int, by: Operator) -> None:
        self._left = wanted
        self._by = by

    def visit(self, node: Any) -> Any:
        for index, _ in enumerate(self._by.mutation_positions(node)):
            if self._left == 0:
                prefix, node = node.get_first_leaf().prefix, self._by.mutate(node, index)
                if node is not None and node.type == "number":  # cosmic-ray puts a blank before it, and drops ours
                    node.value, node.prefix = node.value.strip(), prefix
            self._left -= 1
        return node


def mutants(package: Package, settings: Settings, root: Path) -> Iterator[Mutant]:
    """All mutants of a package, module by module, but for the lines that are left alone."""
    for module in package.sources:
        source = (root / module).read_text()
        nodes = list(ast_nodes(get_ast(source)))
        lines = source.splitlines()
        for family, names in settings.families.items():
            for name in names:
                for mutant in _places(package.name, family, module, name, nodes, lines):
                    if not settings.skip.search(mutant.line):
                        yield mutant


def _places(package: str, family: str, module: str, name: str, nodes: list[Any], lines: list[str]) -> Iterator[Mutant]:
    by, occurrence, seen = operator(name), 0, Counter[str]()
    for node in nodes:
        for (first, _), (last, _) in by.mutation_positions(node):
            line = lines[first - 1].strip()
            if not _is_marker(node):
                yield Mutant(package, family, module, name, occurrence, seen[line], first, last, line)
            occurrence += 1
            seen[line] += 1


def _is_marker(node: Any) -> bool:
    """The `*` or `/` among parameters, which cosmic-ray takes for arithmetic."""
    return node.type == "operator" and node.parent is not None and node.parent.type in ("parameters", "lambdef")


def change(mutant: Mutant, root: Path) -> Change | None:
    """The mutated module; None where it is no Python or says the same as before."""
    before = (root / mutant.module).read_text()
    try:
        after: str = _Planting(mutant.occurrence, operator(mutant.operator)).walk(get_ast(before)).get_code()
    except AttributeError:  # cosmic-ray's ExceptionReplacer, at a dotted name in a tuple
        return None
    try:
        compile(after, mutant.module, "exec", dont_inherit=True)
    except SyntaxError:
        return None
    if ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)):
        return None
    told = list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), mutant.module, mutant.module, lineterm="", n=2)
    )
    added = [line[1:].strip() for line in told[2:] if line.startswith("+")]
    return Change(after, "\n".join(told[2:]), added[0] if added else "")
