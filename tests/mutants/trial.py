"""A mutant held against the tests, and what came of it, kept so that a run goes on where the last one ended."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from tests.mutants.reach import Reach
from tests.mutants.settings import Package
from tests.mutants.source import Change, Mutant
from tests.mutants.workspaces import HOME, Run, Workspace

_SLACK = 60.0
_EACH = 20.0
_NO_SUCH_TEST = 4
_NOTICED = (1, 2, 3)
"""pytest's exit codes: a test failed, collection failed, pytest itself failed (a fixture that broke the session)."""


@dataclass(frozen=True)
class Result:
    """`verdict`: killed, timeout or survived. `module_digest` and `tests_digest` say of what; `by` who noticed."""

    id: str
    package: str
    family: str
    module: str
    operator: str
    number: int
    line: str
    becomes: str
    diff: str
    verdict: str
    by: str
    tests: int
    seconds: float
    module_digest: str
    tests_digest: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As an entry of equal.toml names it."""
        return self.module, self.operator, self.line, self.becomes


class Broken(RuntimeError):
    """A run that says nothing about the mutant."""


def trial(
    mutant: Mutant, change: Change, package: Package, reach: Reach, workspace: Workspace, module_digest: str
) -> Result:
    """Plant the mutant in the workspace's tree, run what reaches it, and stop at the first test that notices."""
    tests = reach.tests(mutant)
    expected = sum(reach.seconds[test] for test in tests)
    # A test that never ends is a test that fails, long before all of them together have had their time.
    each = f"--timeout={5 * max(reach.seconds[test] for test in tests) + _EACH}"
    with workspace.planted(mutant.module, change.source):
        run = workspace.test(package, tests, 3 * expected + _SLACK, "-x", each)
        if run.code == _NO_SUCH_TEST:  # a test's name told a number that the mutant changed: all files, then
            tests = list(reach.seconds)
            leave = [f"--deselect={test}" for test in reach.unsteady]
            run = workspace.test(package, package.tests, 3 * sum(reach.seconds.values()) + _SLACK, "-x", *leave)
    verdict = _verdict(run)
    return Result(
        mutant.id,
        mutant.package,
        mutant.family,
        mutant.module,
        mutant.operator,
        mutant.first,
        mutant.line,
        change.becomes,
        change.diff,
        verdict,
        run.failed[0] if run.failed else "" if verdict == "survived" else _last(run.output),
        len(tests),
        round(run.took, 1),
        module_digest,
        reach.digest,
    )


def _verdict(run: Run) -> str:
    if run.timed_out:
        return "timeout"
    if run.code == 0:
        return "survived"
    if run.code in _NOTICED or run.code < 0 or run.code == _NO_SUCH_TEST:
        return "killed"
    raise Broken(f"pytest ended with {run.code}:\n{run.output}")


def _last(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("E ", "ERROR", "FAILED"))]
    return lines[-1][:200] if lines else "the run ended early"


class Results:
    """All results so far, one JSON line each; the last of an id counts."""

    def __init__(self, file: Path = HOME / "results.jsonl") -> None:
        self._file = file
        self._lock = Lock()
        lines = file.read_text().splitlines() if file.exists() else []
        self._known = {result.id: result for result in (Result(**json.loads(line)) for line in lines)}

    def add(self, result: Result) -> None:
        """Keep it, at once on disk."""
        with self._lock:
            self._known[result.id] = result
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a") as file:
                file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")

    def of(self, mutant: Mutant, module_digest: str, tests_digest: str | None = None) -> Result | None:
        """The mutant's result, if its module is as it was then; of a survivor, also the tests (where told)."""
        found = self._known.get(mutant.id)
        if found is None or found.module_digest != module_digest:
            return None
        if found.verdict == "survived" and tests_digest not in (None, found.tests_digest):
            return None
        return found
