"""Runs one attempt of a job as a process group of its own, in the worker's environment."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.local import parent_guard
from infrastructure.local.batch.model import Job
from infrastructure.local.paths import REPO

NICE = 5


class CannotStart(RuntimeError):
    """The attempt could not be started; the message becomes the container's reason."""


@dataclass
class Attempt:
    """A running attempt."""

    job: Job
    process: subprocess.Popen[bytes]
    scratch: Path
    started: float
    """Monotonic."""
    status_reason: str | None = None
    """Set when it is being stopped from here: the reason that wins over the exit code's."""
    kill_at: float | None = None
    retry: bool = field(default=True)
    """False when what ended it forbids another try (terminated, timed out)."""

    def signal(self, number: int) -> None:
        """To the whole group; a group that has ended is left alone."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self, reason: str, grace: float, *, retry: bool) -> None:
        """SIGTERM now, SIGKILL after `grace` seconds (by the engine's clock)."""
        if self.status_reason is None:
            self.status_reason, self.retry = reason, retry
            self.kill_at = time.monotonic() + grace
            self.signal(signal.SIGTERM)

    def exit_code(self) -> int | None:
        """Docker's view: 128 + n for signal n."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def clean(self) -> None:
        """End what the attempt left running, and its files."""
        self.signal(signal.SIGKILL)
        shutil.rmtree(self.scratch, ignore_errors=True)


@dataclass(frozen=True)
class Worker:
    """How jobs are run: which environment for which image, and what every job is told."""

    pythons: Mapping[str, str]
    """Interpreter by worker name (`image`, `scene`)."""
    base: Mapping[str, str]
    """Variables for every job; the definition's and the submission's win over them."""
    forced: Mapping[str, str]
    """Variables that win over the job definition's (its weights are not here), but not over the submission's."""
    folder: Path
    logs: Path

    def start(self, job: Job) -> Attempt:
        """Start the next attempt of `job`. CannotStart where its image has no environment here."""
        image = job.definition["containerProperties"]["image"]
        name = next((n for n in self.pythons if n in image.rsplit("/", 1)[-1].split(":")[0]), None)
        if name is None:
            raise CannotStart(f"CannotPullContainerError: no environment of this machine stands for the image {image}")
        number = len(job.attempts) + 1
        scratch = self.folder / "scratch" / f"{job.id}-{number}"
        scratch.mkdir(parents=True, exist_ok=True)
        environment = self._environment(job, number, scratch, Path(self.pythons[name]))
        log_path = self.logs / f"{job.id}.log"
        with log_path.open("ab") as log:
            log.write(f"--- attempt {number} of {job.name}: {' '.join(job.command)}\n".encode())
            log.flush()
            try:
                process = subprocess.Popen(
                    parent_guard.command(signal.SIGKILL, NICE, job.command),
                    env=environment,
                    cwd=scratch,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotStart(f"CannotStartContainerError: {error}") from error
        return Attempt(job, process, scratch, time.monotonic())

    def _environment(self, job: Job, number: int, scratch: Path, python: Path) -> dict[str, str]:
        declared = {e["name"]: e["value"] for e in job.definition["containerProperties"].get("environment", [])}
        own = {name: value for name, value in job.environment.items() if declared.get(name) != value}
        mounts = [m["containerPath"] for m in job.definition["containerProperties"].get("mountPoints", [])]
        # The definition's paths are the container's: its volumes are the attempt's own folder here.
        declared = {name: _inside(value, mounts, scratch) for name, value in declared.items()}
        return {
            **self.base,
            "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "PYTHONPATH": f"{REPO / 'gpu_batch'}:{REPO / 'layers' / 'core'}",
            "PYTHONUNBUFFERED": "1",
            **declared,
            **self.forced,
            **own,
            "AWS_BATCH_JOB_ID": job.id,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": job.queue,
            "AWS_BATCH_CE_NAME": "local",
        }


def _inside(value: str, mounts: list[str], scratch: Path) -> str:
    for mount in mounts:
        if value == mount or value.startswith(mount.rstrip("/") + "/"):
            return str(scratch) + value[len(mount.rstrip("/")) :]
    return value
