"""Run the tests that a change touches: those that import what was changed, call it by its name, or read it.

    python -m infrastructure.tools.changed [BASE] [--list]

A change is what differs from BASE (the last commit, unless one is named), new files included. `--list` runs nothing.
What a test reaches in another way (a path put together at run time, a template, a sample) stands in READERS.
"""

import ast
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "layers/core": "",
    "gpu_batch": "",
    "functions": "functions",
    "infrastructure": "infrastructure",
    "tests": "tests",
}
"""Folders of Python, and what stands before their modules' names."""
EVERYTHING = ("pyproject.toml", "tests/conftest.py", "tests/support/parts.py", "infrastructure/requirements/*")
"""What every test reads."""
READERS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("template.yaml", "samconfig.toml", "infrastructure/*.yaml", "infrastructure/state_machines/*"),
        ("tests/infrastructure/*", "tests/local/*", "tests/e2e/*"),
    ),
    (("events/*",), ("tests/functions/*", "tests/infrastructure/test_samples.py", "tests/e2e/test_policies.py")),
    (("docs/openapi.json", "docs/postman.json", "docs/site/*"), ("tests/core/http/test_openapi.py", "tests/e2e/*")),
    (("docs/parts.md",), ("tests/infrastructure/test_parts.py",)),
    (("Makefile",), ("tests/infrastructure/test_changed.py",)),
    (("layers/core/snapforge/notifications/templates/*",), ("tests/*/notifications/*",)),
    # Read as text, and run by the local region.
    (
        ("functions/*.py", "layers/core/*.py"),
        ("tests/infrastructure/test_imports.py", "tests/infrastructure/test_conformance.py", "tests/e2e/*"),
    ),
    (("layers/*", "infrastructure/images/*"), ("tests/infrastructure/test_layers.py",)),
    (("gpu_batch/*.py",), ("tests/gpu_batch/frame/test_modules.py", "tests/gpu_batch/frame/test_import_cycles.py")),
    (("gpu_batch/models/*",), ("tests/gpu_batch/image/*", "tests/gpu_batch/lora/*", "tests/e2e/*")),
    (("gpu_batch/Dockerfile*", "gpu_batch/requirements/*"), ("tests/gpu_batch/*", "tests/infrastructure/test_gpu.py")),
)
"""Changed files, and the tests that read or run them without importing them. `*` crosses folders."""


@dataclass(frozen=True)
class Group:
    """Tests that run in one environment, as the Makefile runs them."""

    python: str
    path: str
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()

    def holds(self, test: str) -> bool:
        """Whether a test's file is of this group."""
        return any(test.startswith(f"{folder}/") for folder in self.folders)


_CORE = "layers/core:."
_WORKERS = f"gpu_batch:{_CORE}"
_TWO = ("-n", "2", "--dist", "loadfile")
GROUPS = (
    Group(".venv/bin/python", _CORE, ("tests/core", "tests/functions", "tests/infrastructure"), _TWO),
    Group(".venvs/image/bin/python", _WORKERS, tuple(f"tests/gpu_batch/{n}" for n in ("frame", "image", "lora")), _TWO),
    Group(".venvs/scene/bin/python", _WORKERS, ("tests/gpu_batch/scene",), _TWO),
    Group(".venv/bin/python", _CORE, ("tests/local",), ("-n", "3", "--dist", "loadfile")),
    Group(".venv/bin/python", _CORE, ("tests/e2e",)),
)


class Source:
    """What a file names."""

    def __init__(self, tree: ast.Module) -> None:
        self.imports: set[str] = set()
        self.texts: set[str] = set()
        """Short strings: a function's, a module's or a fixture's name."""
        arguments: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.imports |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                self.imports |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 100:
                self.texts.add(node.value)
            elif isinstance(node, ast.arg):
                arguments.add(node.arg)
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        self.fixtures = {f.name for f in functions if any("fixture" in ast.unparse(one) for one in f.decorator_list)}
        self.asks = arguments | self.texts
        """What may be a fixture's name."""
        self.gives = self.fixtures | {imported.rpartition(".")[2] for imported in self.imports}
        """The fixtures that stand nearer than a plugin's."""


class Graph:
    """Which file of a tree uses which: by an import, a module's or function's name in a string, or a fixture."""

    def __init__(self, root: Path, gone: Iterable[str] = ()) -> None:
        found = {path.relative_to(root).as_posix() for folder in SOURCES for path in (root / folder).rglob("*.py")}
        self._files = {*found, *(name for name in gone if module(name))}
        self._modules = {module(name): name for name in self._files}
        self._functions = {Path(name).stem: name for name in self._files if fnmatch(name, "functions/*/*.py")}
        self._read = {name: Source(ast.parse((root / name).read_text())) for name in sorted(found)}
        # Nobody imports the fixtures of tests/support: they are plugins.
        plugins = [name for name in self._read if name.startswith("tests/support/")]
        self._fixtures = {fixture: name for name in plugins for fixture in self._read[name].fixtures}
        self.uses = {name: self._used(name) - {name} for name in self._read}
        if (every := "infrastructure/tools/functions.py") in self.uses:
            self.uses[every] |= set(self._functions.values())

    @property
    def tests(self) -> list[str]:
        """Every test's file."""
        return [name for name in self.uses if fnmatch(name, "tests/*test_*.py") and any(g.holds(name) for g in GROUPS)]

    def reached(self, changed: str) -> dict[str, tuple[str, ...]]:
        """Each file that uses `changed`, at whatever remove, with the shortest way from it to there."""
        users: dict[str, list[str]] = {}
        for name, used in self.uses.items():
            for one in used:
                users.setdefault(one, []).append(name)
        ways: dict[str, tuple[str, ...]] = {changed: (changed,)}
        waiting = deque([changed])
        while waiting:
            name = waiting.popleft()
            for user in users.get(name, ()):
                if user not in ways:
                    ways[user] = (*ways[name], user)
                    waiting.append(user)
        return ways

    def _used(self, name: str) -> set[str]:
        source = self._read[name]
        used = {found for imported in source.imports for found in self._of(imported)}
        used |= {found for text in source.texts for found in self._named(text)}
        if name.startswith("tests/"):
            used |= {self._functions[stem] for stem in map(_stem, source.texts) if stem in self._functions}
            # The topmost conftest.py is everybody's and stands in EVERYTHING.
            above = {f"{parent.as_posix()}/conftest.py" for parent in list(Path(name).parents)[:-2]} & self._files
            near = {fixture for one in {name, *above} & self._read.keys() for fixture in self._read[one].gives}
            used |= above | {self._fixtures[one] for one in source.asks & self._fixtures.keys() - near}
        return used

    def _of(self, imported: str) -> Iterator[str]:
        """The module's file, and those of the packages above it, whose `__init__` is run first."""
        parts = imported.split(".")
        for length in range(1, len(parts) + 1):
            if (found := self._modules.get(".".join(parts[:length]))) is not None:
                yield found

    def _named(self, text: str) -> Iterator[str]:
        """Of a module, or of something in one: `worker.run`, `snapforge.aws.outbox.LATE`."""
        if "." in text and all(part.isidentifier() for part in text.split(".")):
            yield from self._of(text)


def _stem(text: str) -> str:
    """The file's name of a function: `create_job` of `jobs/create_job`, `create-job`."""
    return text.rpartition("/")[2].replace("-", "_")


def module(name: str) -> str:
    """The module of a file; empty for one that is none."""
    for folder, before in SOURCES.items():
        if name.startswith(f"{folder}/") and name.endswith(".py"):
            parts = [before, *Path(name).relative_to(folder).with_suffix("").parts]
            return ".".join(part for part in parts if part and part != "__init__")
    return ""


def choose(root: Path, changed: Iterable[str]) -> dict[str, str]:
    """The files of tests that changed files touch, each with why."""
    names = sorted(changed)
    graph = Graph(root, gone=[name for name in names if not (root / name).exists()])
    chosen: dict[str, str] = {}
    for name in names:
        if _any(name, EVERYTHING) or not _known(name):
            return dict.fromkeys(graph.tests, f"{name}: all tests")
        ways = graph.reached(name)
        readers = [pattern for files, tests in READERS if _any(name, files) for pattern in tests]
        for test in graph.tests:
            if test in ways:
                chosen.setdefault(test, " → ".join(ways[test][:-1]) or "itself")
            elif _any(test, readers):
                chosen.setdefault(test, f"reads {name}")
    return chosen


def _known(name: str) -> bool:
    """Whether it is told what a file touches: Python by the graph, other things by READERS; documents touch nothing."""
    if module(name) or any(_any(name, files) for files, _ in READERS):
        return True
    return "/" not in name or name.startswith((".ci/", "docs/")) or name.endswith(".md")


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def changes(root: Path, base: str) -> list[str]:
    """What differs from `base` in the working tree; both names of what was moved."""
    told = []
    for command in (
        ("diff", "--name-only", "--no-renames", base, "--"),
        ("ls-files", "--others", "--exclude-standard"),
    ):
        run = subprocess.run(("git", *command), cwd=root, capture_output=True, text=True, check=True)
        told += run.stdout.splitlines()
    # A link to the environments is no file of ours.
    return [name for name in told if not (root / name).is_symlink()]


def main() -> None:
    """Say what is chosen and why, run it, and exit with the worst outcome."""
    words = [word for word in sys.argv[1:] if word != "--list"]
    changed = changes(ROOT, words[0] if words else "HEAD")
    chosen = choose(ROOT, changed)
    print(f"{len(changed)} files changed, {len(chosen)} files of tests touched")
    for test, why in chosen.items():
        print(f"  {test}  ({why})")
    if "--list" not in sys.argv:
        sys.exit(max([_run(group, [test for test in chosen if group.holds(test)]) for group in GROUPS]))


def _run(group: Group, tests: list[str]) -> int:
    if not tests:
        return 0
    command = (group.python, "-m", "pytest", *tests, "-m", "not full", "-q", *group.options)
    print(f"\n{len(tests)} files: {' '.join(command[:3])} …", flush=True)
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": group.path}, check=False).returncode
    return 0 if code == 5 else code  # 5: all of them are of `make test-full`


if __name__ == "__main__":
    main()
