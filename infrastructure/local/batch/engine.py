"""The scheduler: moves jobs through their states. All of it runs in one thread; the API only asks under the lock."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.local.batch.model import ENDED, WAITING, Job, Memory, Queue, now
from infrastructure.local.batch.process import Attempt, CannotStart, Worker

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
HOST_GONE = "Host EC2 (instance local) terminated"
DEPENDENCY_FAILED = "Dependent Job failed"
_DECAY_SECONDS = 3600.0


@dataclass(frozen=True)
class Limits:
    """What a bigger machine, or a test, sets otherwise."""

    slots: int = 1
    """Attempts that run at once: two cores hold one."""
    own_slots: Mapping[str, int] = field(default_factory=dict)
    """Queues that have slots of their own beside those, by name: an idle worker there keeps nobody waiting."""
    stop_grace: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    shortest_timeout: int = 60
    """AWS's own minimum of attemptDurationSeconds."""


class Engine:
    """The queues and jobs, and the attempts that run."""

    def __init__(self, path: Path, worker: Worker, limits: Limits, tell: Callable[[dict[str, Any]], None]) -> None:
        self.memory = Memory.load(path)
        self.limits = limits
        self.lock = threading.RLock()
        self._path = path
        self._worker = worker
        self._tell = tell
        self._running: dict[str, Attempt] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def wake(self) -> None:
        """Have the scheduler look again."""
        with suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def move(self, job: Job, status: str) -> None:
        """Set a status, save, and send the state change event."""
        job.status = status
        self.memory.save(self._path)
        self._tell(job.describe())

    def run(self) -> None:
        """Schedule until SIGTERM or SIGINT. Called on the main thread, which forks every attempt (see parent_guard)."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        with self.lock:
            self._recover()
        while not stop.is_set():
            with self.lock:
                pause = self.tick()
            if select.select([self._wake_read], [], [], pause)[0]:
                os.read(self._wake_read, 4096)
        self._end()

    def tick(self) -> float | None:
        """One look at everything; returns the seconds until the next one is due at the latest."""
        for attempt in list(self._running.values()):
            self._look_at(attempt)
        for job in list(self.memory.jobs.values()):
            if job.status in ("SUBMITTED", "PENDING"):
                self._promote(job)
        while (ready := self._next()) is not None:
            self._start(ready)
        due = [self._due(attempt) for attempt in self._running.values()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _due(self, attempt: Attempt) -> float:
        if attempt.kill_at is not None:
            return attempt.kill_at
        return attempt.started + (attempt.job.timeout or 86_400)

    def _look_at(self, attempt: Attempt) -> None:
        job = attempt.job
        clock = time.monotonic()
        if attempt.exit_code() is not None:
            self._ended(attempt)
        elif attempt.kill_at is not None and clock >= attempt.kill_at:
            attempt.signal(signal.SIGKILL)
            attempt.kill_at = clock + 1.0
        elif job.terminated is not None:
            attempt.stop(job.terminated, self.limits.stop_grace, retry=False)
        elif job.timeout and clock >= attempt.started + job.timeout:
            attempt.stop(TIMED_OUT, self.limits.stop_grace, retry=False)

    def _promote(self, job: Job) -> None:
        if job.status == "SUBMITTED":
            self.move(job, "PENDING")
        needed = [self.memory.jobs.get(other) for other in job.depends_on]
        if any(other is not None and other.status == "FAILED" for other in needed):
            self.fail(job, DEPENDENCY_FAILED)
        elif all(other is None or other.status == "SUCCEEDED" for other in needed):
            self.move(job, "RUNNABLE")

    def fail(self, job: Job, reason: str) -> None:
        """End a job that is not running."""
        job.status_reason = reason
        job.stopped_at = now()
        self.move(job, "FAILED")

    def _next(self) -> Job | None:
        """The job to run: highest queue first; within it the share that used least, then priority, then age."""
        for queue in sorted(self.memory.queues.values(), key=lambda q: -q.priority):
            if not self._room(queue.name):
                continue
            ready = [j for j in self.memory.jobs.values() if j.queue == queue.name and j.status == "RUNNABLE"]
            if ready and queue.fair:
                return min(ready, key=lambda j: (self._used(queue, j.share), -j.priority, j.created_at))
            if ready:
                return min(ready, key=lambda j: j.created_at)
        return None

    def _room(self, queue: str) -> bool:
        own = self.limits.own_slots
        taken = [attempt.job.queue for attempt in self._running.values()]
        if queue in own:
            return taken.count(queue) < own[queue]
        return sum(name not in own for name in taken) < self.limits.slots

    def _used(self, queue: Queue, share: str | None) -> float:
        running = sum(1 for a in self._running.values() if a.job.queue == queue.name and a.job.share == share)
        return self.memory.usage.get(f"{queue.name}/{share}", 0.0) + 60.0 * running

    def _start(self, job: Job) -> None:
        self.move(job, "STARTING")
        try:
            attempt = self._worker.start(job)
        except CannotStart as error:
            self._close(job, now(), None, str(error), str(error), retry=True)
            return
        self._running[job.id] = attempt
        job.started_at = now()
        self.move(job, "RUNNING")

    def _ended(self, attempt: Attempt) -> None:
        job = attempt.job
        del self._running[job.id]
        attempt.clean()
        seconds = time.monotonic() - attempt.started
        self._charge(f"{job.queue}/{job.share}", seconds)
        code = attempt.exit_code()
        self._close(job, job.started_at or now(), code, "", attempt.status_reason or EXITED, retry=attempt.retry)

    def _charge(self, share: str, seconds: float) -> None:
        keep = 0.5 ** (seconds / _DECAY_SECONDS)
        self.memory.usage = {name: used * keep for name, used in self.memory.usage.items() if used * keep > 0.01}
        self.memory.usage[share] = self.memory.usage.get(share, 0.0) + seconds

    def _close(self, job: Job, started: int, code: int | None, reason: str, status_reason: str, *, retry: bool) -> None:
        container: dict[str, Any] = {"logStreamName": job.log_stream}
        if code is not None:
            container["exitCode"] = code
        if reason:
            container["reason"] = reason
        ended = now()
        job.attempts.append(
            {"container": container, "startedAt": started, "stoppedAt": ended, "statusReason": status_reason}
        )
        job.status_reason = status_reason
        if code == 0 and status_reason == EXITED:
            job.stopped_at = ended
            self.move(job, "SUCCEEDED")
        elif retry and job.retries(code, reason, status_reason):
            self.move(job, "RUNNABLE")
        else:
            job.stopped_at = ended
            self.move(job, "FAILED")

    def _recover(self) -> None:
        """Attempts that ran when this machine stopped are lost, as when Spot takes the host."""
        for job in self.memory.jobs.values():
            if job.status not in (*WAITING, *ENDED):
                self._close(job, job.started_at or now(), None, HOST_GONE, HOST_GONE, retry=job.terminated is None)

    def _end(self) -> None:
        """Take the host away: its attempts stay RUNNING in the memory until the next start finds them lost."""
        with self.lock:
            for attempt in self._running.values():
                attempt.signal(signal.SIGTERM)
            deadline = time.monotonic() + self.limits.stop_grace
            while any(a.exit_code() is None for a in self._running.values()) and time.monotonic() < deadline:
                time.sleep(0.05)
            for attempt in self._running.values():
                attempt.clean()
            self.memory.save(self._path)
