"""Which tests reach which line: a package's tests are run once without a mutant, and what they did is kept."""

import ast
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from coverage import CoverageData

from tests.mutants.settings import Package
from tests.mutants.source import Mutant
from tests.mutants.workspaces import HOME, Run, Workspace

PATIENCE = 1800.0
_CODE = ("layers/core", "functions", "gpu_batch/worker", "tests/support")


class Red(RuntimeError):
    """Tests that fail without a mutant."""


@dataclass(frozen=True)
class Reach:
    """Seconds of each test, and by module and line those that ran it. Tests that failed once and passed the next time
    are left out: their word is worth nothing."""

    digest: str
    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    unsteady: list[str] = field(default_factory=list)

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests to run on a mutant, the quickest first. A line that no test was seen to run on its own account may
        have run at import, in a child, or for a fixture of many tests: then all of the package's, and first those that
        run other lines of the module."""
        by_line = self.lines.get(mutant.module, {})
        reaching = {test for line in range(mutant.first, mutant.last + 1) for test in by_line.get(str(line), ())}
        near = {test for tests in by_line.values() for test in tests}
        return sorted(reaching or self.seconds, key=lambda test: (test not in near, self.seconds[test], test))


def digest(package: Package, tree: Path) -> str:
    """Changes when the package's tests change, or code that they run."""
    how = {name: value for name, value in asdict(package.environment).items() if name != "preload"}
    told = sha256(json.dumps([package.tests, how]).encode())
    for place in (*_CODE, *package.tests):
        told.update(digest_of(tree, place).encode())
    return told.hexdigest()[:16]


def digest_of(tree: Path, place: str) -> str:
    """Of a file or of all Python files below a folder."""
    start = tree / place
    files = [start] if start.is_file() else sorted(start.rglob("*.py"))
    told = sha256()
    for file in files:
        told.update(str(file.relative_to(tree)).encode() + file.read_bytes())
    return told.hexdigest()[:16]


def reach(package: Package, workspace: Workspace, folder: Path = HOME / "reach") -> Reach:
    """As kept in `folder`, or seen anew; Red where a test fails twice."""
    file, now = folder / f"{package.name}.json", digest(package, workspace.tree)
    if file.exists() and (kept := json.loads(file.read_text()))["digest"] == now:
        return Reach(**kept)
    options = ("--cov", "--cov-context=test", "--cov-report=") if package.environment.coverage else ()
    run = workspace.test(package, package.tests, PATIENCE, *options, bytecode=True)
    lines = _lines(workspace, package.sources, set(run.seconds)) if package.environment.coverage else {}
    _check(package, workspace, run)
    steady = {test: seconds for test, seconds in run.seconds.items() if test not in run.failed}
    seen = Reach(now, steady, _without(lines, run.failed), list(run.failed))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(seen)))
    return seen


def _check(package: Package, workspace: Workspace, run: Run) -> None:
    if run.code not in (0, 1) or not run.seconds:
        raise Red(f"{package.name}: pytest ended with {run.code} after {run.took:.0f} s\n{run.output}")
    if run.failed:
        again = workspace.test(package, run.failed, PATIENCE)
        if again.code:
            raise Red(f"{package.name}: fails without a mutant: {', '.join(again.failed)}\n{again.output}")


def _lines(workspace: Workspace, sources: Iterable[str], tests: set[str]) -> dict[str, dict[str, list[str]]]:
    data = CoverageData(str(workspace.tree / ".local" / "run" / "coverage"))
    data.read()
    found: dict[str, dict[str, list[str]]] = {}
    for module in sources:
        contexts = data.contexts_by_lineno(str(workspace.tree / module))
        once = _run_once((workspace.tree / module).read_text())
        found[module] = {
            str(line): _tests(told) & tests  # type: ignore[misc]
            for line, told in contexts.items()
            if line not in once
        }
        found[module] = {line: sorted(those) for line, those in found[module].items() if those}
    return found


def _run_once(source: str) -> set[int]:
    """Lines of functions whose answer is kept (`@cache`): one test runs them, all later ones live with the answer."""
    kept = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("cache" in ast.unparse(decorator) for decorator in node.decorator_list)
    )
    return {line for node in kept for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def _tests(contexts: Iterable[str]) -> set[str]:
    """Those that ran the line in set-up or call, if one did in its call: contexts read `path::test|run`."""
    told = [context.rpartition("|") for context in contexts if "|" in context]
    return {test for test, _, _ in told} if any(phase == "run" for _, _, phase in told) else set()


def _without(lines: dict[str, dict[str, list[str]]], tests: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    gone = set(tests)
    return {
        module: {line: [test for test in those if test not in gone] for line, those in by_line.items()}
        for module, by_line in lines.items()
    }
