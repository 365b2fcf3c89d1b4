"""Where mutants are run: a copy of the tree each, so that the working tree is never mutated, with an emulator that is
kept up and emptied before each run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.forks import Forks, Gone
from tests.mutants.settings import ROOT, Package
from tests.support.aws import free_port, start_ministack

HOME = ROOT / ".local" / "mutants"
_LINKED = (".venv", ".venvs")
_COMPILED = ("layers", "functions", "gpu_batch/worker", "infrastructure", "tests")


@dataclass(frozen=True)
class Run:
    """One run of pytest. `seconds` of each test that ended; `failed` in the order in which they failed."""

    code: int
    took: float
    timed_out: bool
    seconds: dict[str, float]
    failed: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Workspace:
    """A tree and an emulator, and a forked pytest of each environment that was asked for."""

    tree: Path
    emulator: str
    forks: dict[str, Forks] = field(default_factory=dict)

    def test(
        self, package: Package, tests: Sequence[str], seconds: float, *options: str, bytecode: bool = False
    ) -> Run:
        """Run these tests on the tree as it stands, for so long at most. With `bytecode` in a process of its own, which
        leaves all modules compiled."""
        folder = self.tree / ".local" / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.tree / ".hypothesis" / "examples", ignore_errors=True)  # another mutant's failures
        folder.mkdir(parents=True)
        (folder / "tests").write_text("\n".join(tests))
        environment = {
            # Not the settings of a pytest that this one runs in.
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "PYTHONPATH": package.environment.path,
            "KEPT_EMULATOR": self.emulator,
            "MUTANTS_WATCH": str(folder / "watch"),
            "COVERAGE_FILE": str(folder / "coverage"),
            # A mutated module is compiled anew for its new time of change; all others are read as they were compiled.
            "PYTHONDONTWRITEBYTECODE": "" if bytecode else "1",
        }
        quiet = ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-m", "not full"]
        ours = ["-p", "tests.mutants.watch", f"--basetemp={folder / 'tmp'}"]
        # Plug-ins were imported before the fork.
        quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        arguments = [*ours, *quiet, *options, f"@{folder / 'tests'}"]
        began = time.monotonic()
        try:
            if bytecode:
                raise Gone
            code = self._forked(package).run(arguments, environment, folder / "output", seconds)
        except Gone:
            if gone := self.forks.pop(package.environment.python, None):
                gone.close()
            command = [package.environment.python, "-m", "pytest", *arguments]
            code = _ended(command, self.tree, environment, folder / "output", seconds)
        output = (folder / "output").read_text(errors="replace")
        lines = [json.loads(line) for line in _lines(folder / "watch")]
        return Run(
            code if code is not None else -1,
            time.monotonic() - began,
            code is None,
            {line["test"]: line["seconds"] for line in lines},
            tuple(dict.fromkeys(line["test"] for line in lines if line["failed"])),
            output[-4000:],
        )

    def _forked(self, package: Package) -> Forks:
        of = package.environment
        if of.python not in self.forks:
            self.forks[of.python] = Forks(of.python, of.path, self.tree, of.preload)
        return self.forks[of.python]

    @contextmanager
    def planted(self, module: str, source: str) -> Iterator[None]:
        """The module with another source; afterwards its own again, to the nanosecond, so that bytecode stays true."""
        file = self.tree / module
        kept, when = file.read_bytes(), file.stat()
        file.write_text(source)
        try:
            yield
        finally:
            file.write_bytes(kept)
            os.utime(file, ns=(when.st_atime_ns, when.st_mtime_ns))


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _ended(command: Sequence[str], folder: Path, environment: dict[str, str], log: Path, seconds: float) -> int | None:
    """Exit code (None: it was not done in time); nothing that it started lives on."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def workspace(number: int) -> Iterator[Workspace]:
    """The workspace of this number, its tree as the working tree is now."""
    tree = HOME / f"tree-{number}"
    copy(ROOT, tree)
    _compile(tree)
    port = free_port()
    emulator = start_ministack(HOME / f"emulator-{number}", port)
    made = Workspace(tree, f"http://127.0.0.1:{port}")
    try:
        yield made
    finally:
        for forks in made.forks.values():
            forks.close()
        emulator.kill()
        emulator.wait()


def copy(source: Path, tree: Path) -> None:
    """All that git knows or would know of `source`, times kept; what is gone there goes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source,
        capture_output=True,
        check=True,
    )
    names = {name for name in listed.stdout.decode().split("\0") if name and name not in _LINKED}
    names = {name for name in names if (source / name).is_file()}
    listing = tree / ".local" / "copied"
    for gone in set(_lines(listing)) - names:
        (tree / gone).unlink(missing_ok=True)
    for name in names:
        _copy_file(source / name, tree / name)
    for name in _LINKED:
        if not (tree / name).is_symlink() and (source / name).exists():
            (tree / name).symlink_to((source / name).resolve())
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("\n".join(sorted(names)))


def _copy_file(source: Path, copied: Path) -> None:
    there, here = copied.stat() if copied.exists() else None, source.stat()
    if there is None or (there.st_mtime_ns, there.st_size) != (here.st_mtime_ns, here.st_size):
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copied)


def _compile(tree: Path) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-m", "compileall", "-q", *_COMPILED]
    subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, check=False)
