"""A pytest that has imported what is not ours and is forked for each run: of a mutant's time most was the start.

`python -m tests.mutants.forks MODULE…` reads an order a line: {arguments, environment, log}. It answers with the run's
process id, and when that has ended with its exit code.
"""

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import SIGKILL
from typing import Any


def main() -> None:
    """Serve orders until there are no more."""
    for name in ("pytest", *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        _tell(child)
        _tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _run(order: Mapping[str, Any]) -> None:
    import pytest

    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.dont_write_bytecode = True
    code = 3
    try:
        code = int(pytest.main(order["arguments"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Gone(RuntimeError):
    """It ended under a run: what the tests did reached it."""


class Forks:
    """The other side: one such process, in a tree."""

    def __init__(self, python: str, path: str, tree: Path, modules: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "tests.mutants.forks", *modules],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._answers.put(line)
        self._answers.put("")

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float) -> int | None:
        """pytest's exit code; None where it was not done in time. Nothing that it started lives on. Raises Gone."""
        assert self._process.stdin
        order = {"arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        child = self._answer(60)
        try:
            return self._answer(seconds)
        except Empty:
            _kill(child)
            self._answer(60)
            return None
        finally:
            _kill(child)

    def _answer(self, seconds: float) -> int:
        if not (answer := self._answers.get(timeout=seconds)):
            raise Gone
        return int(answer)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, SIGKILL)


if __name__ == "__main__":
    main()
