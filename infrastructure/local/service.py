"""One child process of the region: ended with its parent, logged to a file, stopped with patience."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infrastructure.local import parent_guard

_LAUNCHER = ThreadPoolExecutor(1, thread_name_prefix="launcher")
"""Every child is forked by this one thread: the kernel ties a child's end to the thread that forked it."""


class Service:
    """A child process that can be stopped and started again with the same command."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        fds: Sequence[int] = (),
        guard_signal: int = signal.SIGTERM,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.env = dict(env)
        self.log = log
        self._fds = tuple(fds)
        self._guard_signal = guard_signal
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self.stopping = True
        """Whether its end is wanted, or it was never started."""

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it. Whoever watches may revive it from now on."""
        with self._lock:
            self._process = _LAUNCHER.submit(self._spawn).result()
            self.stopping = False

    def revive(self) -> bool:
        """Start it again if it ended by itself; whether that was so."""
        with self._lock:
            ended = not self.stopping and self._process is not None and self._process.poll() is not None
            if ended:
                self.start()
            return ended

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                parent_guard.command(self._guard_signal, 0, self.argv),
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._fds,
                cwd=self._cwd,
                # Ctrl-C in the terminal is for the region, which then stops its children in order.
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def stop(self, grace: float) -> int | None:
        """SIGTERM, then SIGKILL after `grace` seconds. Returns the exit code."""
        with self._lock:
            self.stopping = True
            process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode

    def tail(self, lines: int = 20) -> str:
        """The end of its log, for error messages."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
