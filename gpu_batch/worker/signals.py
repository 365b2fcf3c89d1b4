"""Why and when to stop early: SIGTERM (Spot takes the machine, or the job was canceled) and the manifest's deadline."""

import math
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from worker.errors import DeadlineError, Interrupted, WorkerError

GRACE_S = 60.0
"""How long a stage may take to notice. ECS kills 110 s after SIGTERM; the report needs some of that."""


class Stopping(Protocol):
    """What an attempt asks: whether it has to stop, and why."""

    event: threading.Event

    def check(self) -> None:
        """Raise the reason where the attempt has to stop."""
        ...


class Stop:
    """Watches for SIGTERM, SIGINT and the deadline (where there is one).

    From a thread of its own, so that native calls do not hide them.

    `event` is set when the process has to stop; `on_stuck` is called from the thread when nothing came of that within
    `GRACE_S` seconds. Use as a context manager in the main thread.
    """

    def __init__(self, deadline: datetime | None, on_stuck: Callable[[WorkerError], None]) -> None:
        self.event = threading.Event()
        self._reason: WorkerError | None = None
        self._deadline = deadline
        self._on_stuck = on_stuck
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)

    def __enter__(self) -> "Stop":
        # Past RLIMIT_FSIZE a write shall fail with EFBIG, reported as a full disk, instead of killing the process.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        # Python writes the signal's number to the wake-up descriptor at once, even while the main thread is in native
        # code; the handler itself has nothing to add.
        self._before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._waker, b"\0")
        self._thread.join()
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._waker)

    def request(self, reason: WorkerError) -> None:
        """Stop for what the process has found out itself; the first reason counts. From any thread."""
        if self._reason is None:
            self._reason = reason
            self.event.set()

    def check(self) -> None:
        """Raise the reason (Interrupted, DeadlineError, or what `request` was given) where the process has to stop."""
        if self._reason is not None:
            raise self._reason

    def _watch(self) -> None:
        woken = self._wait(None if self._deadline is None else (self._deadline - datetime.now(UTC)).total_seconds())
        if woken == "over":
            return
        reason = self._reason or (DeadlineError() if woken == "time" else Interrupted())
        self.request(reason)
        if self._wait(GRACE_S, signals=False) == "time":
            self._on_stuck(reason)

    def _wait(self, seconds: float | None, *, signals: bool = True) -> str:
        """`over` when the work ended, `signal`, or `time` when the seconds (None: without end) have passed."""
        end = math.inf if seconds is None else time.monotonic() + max(seconds, 0.0)
        while True:
            left = None if seconds is None else max(end - time.monotonic(), 0.0)
            ready, _, _ = select.select([self._wake], [], [], left)
            if ready:
                numbers = os.read(self._wake, 64)
                if 0 in numbers:
                    return "over"
                if signals and {signal.SIGTERM, signal.SIGINT} & set(numbers):
                    return "signal"
            elif time.monotonic() >= end:
                return "time"
