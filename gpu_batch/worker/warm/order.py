"""An attempt in the hands of a warm worker, from its ticket to its last report."""

import threading
import time
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


@dataclass(frozen=True)
class Key:
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
    def of(cls, manifest: Manifest) -> "Key":
        """Raises BugError where the manifest is no image's."""
        work = image_work(manifest)
        adapters = tuple((ref.sha256, ref.weight) for ref in working(work))
        return cls(work.model, manifest.reduced, work.width, work.height, work.steps, work.guidance, adapters)

    @property
    def plain(self) -> "Key":
        """The same without adapters: what decides how much memory a picture needs."""
        return replace(self, adapters=())


def image_work(manifest: Manifest) -> ImageWork:
    """The work order of an image job. Raises BugError for other kinds."""
    if not isinstance(manifest.work, ImageWork):
        raise BugError("wrong_kind", f"A ticket for {manifest.work.kind} work lay in an images queue.")
    return manifest.work


class Order:
    """One ticket in hand. Implements `worker.signals.Stopping` for its attempt.

    Before it is claimed it may be put back; `attempt` and `reporter` are there once it is claimed.
    """

    def __init__(self, message: Message, ticket: Ticket, manifest: Manifest, stop: Stopping) -> None:
        self.message = message
        self.ticket = ticket
        self.manifest = manifest
        self.key = Key.of(manifest)
        self.prefix = prefix_of(ticket)
        self.arrived = time.monotonic()
        self.attempt: Attempt | None = None
        self.reporter: Reporter | None = None
        self.missing: list[int] = list(range(image_work(manifest).count))
        """Pictures that are neither here nor being drawn, by index."""
        self.wanted = len(self.missing)
        """Pictures that this entry has to draw."""
        self.handed = 0
        """Of them, drawn and handed to be written."""
        self.left = self.wanted
        """Of them, not written yet. Changed under `lock`."""
        self.canceled = threading.Event()
        self.event = stop.event
        self.beaten_at = 0.0
        self.looked_at = 0.0
        self.extended_at = self.arrived
        self.lock = threading.Lock()
        """Held by whoever writes files, checkpoints or the end of the attempt."""
        self.failing = False
        """It will end without its result."""
        self.ended = False
        """Its end was told, or could not be told."""
        self._stop = stop

    @property
    def priority(self) -> int:
        """Of its queue; 0 is the most urgent."""
        return self.message.priority

    @property
    def claimed(self) -> bool:
        """Whether the attempt is this worker's."""
        return self.attempt is not None

    def in_hand(self) -> tuple[Attempt, Reporter]:
        """The attempt and who reports about it; only after claiming."""
        if self.attempt is None or self.reporter is None:
            raise BugError("not_claimed", f"{self.prefix} was not claimed.")
        return self.attempt, self.reporter

    @property
    def drawn(self) -> bool:
        """Whether all its pictures are drawn: what is left to do takes a second and is done at any rate."""
        return self.handed == self.wanted

    def expect(self, missing: list[int]) -> None:
        """Set what has to be drawn, after earlier entries' pictures were restored."""
        self.missing = missing
        self.wanted = self.left = len(missing)

    def check(self) -> None:
        """Raise Interrupted, Canceled or DeadlineError where the attempt has to stop."""
        if self.drawn:
            return
        self._stop.check()
        if reason := self.unwanted():
            raise reason

    def unwanted(self) -> WorkerError | None:
        """Why nobody wants this order's pictures any more; None where somebody does."""
        if self.canceled.is_set():
            return Canceled()
        return DeadlineError() if datetime.now(UTC) > self.manifest.deadline else None


def prefix_of(ticket: Ticket) -> str:
    """The attempt's prefix: the folder of its manifest, with the slash."""
    return ticket.manifest_uri.rpartition("/")[0] + "/"
