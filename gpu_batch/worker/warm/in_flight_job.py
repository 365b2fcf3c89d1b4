"""A job that a warm worker has taken, from its ticket to its last report; and all of them together."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from snapforge.contracts.manifest import ImageWork, Manifest
from snapforge.contracts.tickets import Ticket
from worker.adapters import working
from worker.attempt import Attempt
from worker.errors import BugError, Canceled, DeadlineError, WorkerError
from worker.progress import Reporter
from worker.signals import Stopping
from worker.warm.queues import Message

_REMEMBERED_ENDS = 1000
"""More than come within the time that a message is invisible."""


@dataclass(frozen=True)
class BatchKey:
    """What the pictures of one micro-batch have in common. From the manifest: tickets are not believed."""

    model: str
    reduced: bool
    width: int
    height: int
    steps: int
    guidance: float
    adapters: tuple[tuple[str, float], ...]
    """(sha256, weight) of the LoRA adapters that work."""

    @classmethod
    def of(cls, manifest: Manifest) -> "BatchKey":
        """Raises BugError where the manifest is no image's."""
        work = image_work(manifest)
        adapters = tuple((ref.sha256, ref.weight) for ref in working(work))
        return cls(work.model, manifest.reduced, work.width, work.height, work.steps, work.guidance, adapters)

    @property
    def plain(self) -> "BatchKey":
        """The same without adapters: what decides how much memory a picture needs."""
        return replace(self, adapters=())


def image_work(manifest: Manifest) -> ImageWork:
    """The work order of an image job. Raises BugError for other kinds."""
    if not isinstance(manifest.work, ImageWork):
        raise BugError("wrong_kind", f"A ticket for {manifest.work.kind} work lay in an images queue.")
    return manifest.work


class InFlightJob:
    """A received ticket and its attempt. Implements `worker.signals.Stopping` for its attempt.

    Before it is claimed it may be put back; `attempt` and `reporter` are there once it is claimed.
    """

    def __init__(self, message: Message, ticket: Ticket, manifest: Manifest, stop: Stopping) -> None:
        self.message = message
        self.ticket = ticket
        self.manifest = manifest
        self.key = BatchKey.of(manifest)
        self.prefix = prefix_of(ticket)
        self.arrived = time.monotonic()
        self.attempt: Attempt | None = None
        self.reporter: Reporter | None = None
        self.missing: list[int] = list(range(image_work(manifest).count))
        """Pictures that are neither here nor being drawn, by index."""
        self.to_draw = len(self.missing)
        """Pictures that this entry has to draw."""
        self.drawn_count = 0
        """Of them, drawn and passed on to be written."""
        self.unwritten = self.to_draw
        """Of them, not written yet. Changed under `lock`."""
        self.canceled = threading.Event()
        self.event = stop.event
        self.last_beat_at = 0.0
        self.last_cancel_check_at = 0.0
        self.visibility_extended_at = self.arrived
        self.lock = threading.Lock()
        """Held by whoever writes files, checkpoints or the end of the attempt."""
        self.failing = False
        """It will end without its result."""
        self.ended = False
        """Its end was reported, or could not be reported."""
        self._stop = stop

    @property
    def priority(self) -> int:
        """Of its queue; 0 is the most urgent."""
        return self.message.priority

    @property
    def claimed(self) -> bool:
        """Whether the attempt is this worker's."""
        return self.attempt is not None

    def claimed_attempt(self) -> tuple[Attempt, Reporter]:
        """The attempt and who reports about it; only after claiming."""
        if self.attempt is None or self.reporter is None:
            raise BugError("not_claimed", f"{self.prefix} was not claimed.")
        return self.attempt, self.reporter

    @property
    def all_drawn(self) -> bool:
        """Whether all its pictures are drawn: what is left to do takes a second and is done at any rate."""
        return self.drawn_count == self.to_draw

    def set_missing(self, missing: list[int]) -> None:
        """Set what has to be drawn, after earlier entries' pictures were restored."""
        self.missing = missing
        self.to_draw = self.unwritten = len(missing)

    def check(self) -> None:
        """Raise Interrupted, Canceled or DeadlineError where the attempt has to stop."""
        if self.all_drawn:
            return
        self._stop.check()
        if reason := self.stop_reason():
            raise reason

    def stop_reason(self) -> WorkerError | None:
        """Why nobody wants this job's pictures any more; None where somebody does."""
        if self.canceled.is_set():
            return Canceled()
        return DeadlineError() if datetime.now(UTC) > self.manifest.deadline else None


class InFlightJobs:
    """The jobs in flight, by their prefix. Thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[str, InFlightJob] = {}
        self._recently_ended: deque[str] = deque(maxlen=_REMEMBERED_ENDS)
        self._lock = threading.Lock()

    def add(self, job: InFlightJob) -> None:
        """Add a job."""
        with self._lock:
            self._jobs[job.prefix] = job

    def find(self, prefix: str) -> InFlightJob | None:
        """The job with this prefix, if it is in flight."""
        with self._lock:
            return self._jobs.get(prefix)

    def remove(self, job: InFlightJob, *, ended: bool = False) -> None:
        """Remove a job that was put back, or whose end was reported (`ended`)."""
        with self._lock:
            self._jobs.pop(job.prefix, None)
            if ended:
                self._recently_ended.append(job.prefix)

    def recently_ended(self, prefix: str) -> bool:
        """Whether this attempt's end was reported lately: its message is a duplicate."""
        with self._lock:
            return prefix in self._recently_ended

    def all(self) -> list[InFlightJob]:
        """All of them, the first taken first."""
        with self._lock:
            return list(self._jobs.values())


def prefix_of(ticket: Ticket) -> str:
    """The attempt's prefix: the folder of its manifest, with the slash."""
    return ticket.manifest_uri.rpartition("/")[0] + "/"
