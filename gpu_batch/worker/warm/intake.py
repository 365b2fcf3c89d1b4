"""From a message to an attempt that is ours, or to whatever else has to become of it."""

import json
import logging
import shutil
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from snapforge.contracts.base import CONTRACT
from snapforge.contracts.tickets import BEAT, CANCELED, CLAIM, LOST_SECONDS, Ticket
from worker.adapters import AdapterCache, fetch_adapters
from worker.attempt import Attempt
from worker.errors import BadManifest, Canceled, Unfit, WorkerError, WorkerLost, explain
from worker.kinds import Kind
from worker.lifecycle import UnreadableManifest, finished, read_manifest
from worker.progress import Reporter, Sender
from worker.signals import Stop
from worker.stages.image import draw
from worker.storage import Missing, Storage
from worker.warm.order import Order, image_work, prefix_of
from worker.warm.queues import Message, Queues
from worker.warm.settings import Settings
from worker.workspace import claim

_logger = logging.getLogger(__name__)
_PATIENCE_S = 20.0
_REMEMBERED = 1000
_LATER_S = 10
"""When a message is looked at again that the surroundings did not let us read."""


class Hand:
    """The orders in hand, by their prefix. Thread-safe."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._past: deque[str] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def add(self, order: Order) -> None:
        """Take an order."""
        with self._lock:
            self._orders[order.prefix] = order

    def find(self, prefix: str) -> Order | None:
        """The order with this prefix, where it is in hand."""
        with self._lock:
            return self._orders.get(prefix)

    def drop(self, order: Order, *, past: bool = False) -> None:
        """It is put back, or done with for good (`past`)."""
        with self._lock:
            self._orders.pop(order.prefix, None)
            if past:
                self._past.append(order.prefix)

    def is_past(self, prefix: str) -> bool:
        """Whether this attempt's end was told lately: its message is an echo."""
        with self._lock:
            return prefix in self._past

    def all(self) -> list[Order]:
        """All of them, the first taken first."""
        with self._lock:
            return list(self._orders.values())


class Intake:
    """Opens tickets and claims attempts. `failed` ends a claimed order with an error."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        queues: Queues,
        hand: Hand,
        stop: Stop,
        *,
        folder: Path,
        kind: Kind,
        adapters: AdapterCache,
        sqs: Any,
        failed: Callable[[Order, WorkerError], None],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._queues = queues
        self._hand = hand
        self._stop = stop
        self._folder = folder
        self._kind = kind
        self._adapters = adapters
        self._sqs = sqs
        self._failed = failed

    def open(self, message: Message) -> None:
        """Read a message's ticket and manifest and take the order in hand, unclaimed."""
        try:
            ticket = Ticket.model_validate_json(message.body)
            if ticket.contract not in (CONTRACT, CONTRACT - 1) or not ticket.manifest_uri.startswith("s3://"):
                raise BadManifest(f"This is no ticket that this release reads: {message.body[:500]}")
            if held := self._hand.find(prefix_of(ticket)):
                if held.message.id == message.id:
                    # Delivered twice: the newest receipt is the one that counts.
                    held.message.receipt = message.receipt
                else:
                    # Sent twice: the first ticket keeps the attempt, and comes back if we die.
                    self._queues.delete(message)
                return
            if self._hand.is_past(prefix_of(ticket)):
                self._queues.delete(message)
                return
            manifest = read_manifest(self._storage, ticket.manifest_uri, self._settings.batch_job_id)
            self._hand.add(Order(message, ticket, manifest, self._stop))
        except UnreadableManifest as error:
            self._refuse(message, prefix_of(ticket), error)
        except (ValidationError, BadManifest):
            # Nobody can be told. Given back five times it goes to the dead letters, and the control plane fails it.
            _logger.exception("a ticket that cannot be read")
            self._queues.put_back([message])
        except Exception as unexpected:
            _logger.exception("a ticket could not be opened")
            self._later(message, explain(unexpected))

    def claim(self, order: Order) -> bool:
        """Make the order's attempt ours. False where it is somebody's, ended or unwanted; then it has left the hand."""
        settings = self._settings
        try:
            standing = claim(self._storage, order.prefix, settings.batch_job_id, settings.batch_attempt)
            if standing == "stranger" or (standing == "again" and finished(self._storage, order.prefix)):
                self._hand.drop(order)
                self._find_out(order)
                return False
            self._begin(order, again=standing == "again")
        except Exception as unexpected:
            _logger.exception("an order could not be begun")
            error = explain(unexpected)
            if order.claimed:
                self._failed(order, error)
            else:
                self._not_begun(order, error)
            return False
        return True

    def _not_begun(self, order: Order, error: WorkerError) -> None:
        """Somebody begins it later; at once, and not this process, where that has no room for it."""
        self._hand.drop(order)
        if not isinstance(error, Unfit) or order.reporter is None:
            self._later(order.message, error)
            return
        self._stop.leave(error)
        # The claim stands, so others would wait for our beats: the attempt ends, and its successor is anybody's.
        if order.reporter.failed(error, None, _PATIENCE_S):
            self._queues.delete(order.message)

    def _begin(self, order: Order, *, again: bool) -> None:
        """Set the attempt up: reporter, folder, beat, a last look for a cancel, what earlier entries kept, adapters."""
        sender = Sender.of(order.manifest, self._settings.batch_job_id)
        order.reporter = Reporter(order.manifest.reports_queue_url, sender, self._sqs)
        folder = self._folder / f"{order.ticket.job_id}-{order.ticket.run}-{order.ticket.attempt}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        attempt = Attempt(
            order.manifest, folder, self._storage, order.reporter, order,
            stages=self._kind.track, again=again, shared=True,
        )  # fmt: skip
        order.attempt = attempt
        beat(self._storage, order.prefix, self._settings.batch_job_id)
        if again:
            # Counts this entry, in case it dies before its first checkpoint.
            attempt.save()
        if is_canceled(self._storage, order.prefix):
            order.canceled.set()
            raise Canceled
        attempt.begin("fetch")
        draw.all_drawn(attempt)
        order.expect(draw.missing(attempt))
        if order.missing:
            fetch_adapters(self._adapters, image_work(order.manifest), attempt.folder)

    def _find_out(self, order: Order) -> None:
        """What to do with a ticket whose attempt another worker claimed, or ended."""
        owner = json.loads(self._storage.read(order.prefix + CLAIM))
        reporter = Reporter(
            order.manifest.reports_queue_url,
            Sender.of(order.manifest, owner["batch_job_id"]),
            self._sqs,
        )
        if uri := finished(self._storage, order.prefix):
            # The owner may have died between result and report. Told twice it changes nothing.
            told = reporter.done(uri, _PATIENCE_S)
        elif is_canceled(self._storage, order.prefix):
            reporter.close()
            told = True
        elif (silent := self._silent_for(order.prefix, owner)) > LOST_SECONDS:
            reporter.close()
            own = Sender.of(order.manifest, self._settings.batch_job_id)
            # In our own name: the control plane looks the owner's Batch job up before it believes it.
            told = Reporter(order.manifest.reports_queue_url, own, self._sqs).failed(WorkerLost(), None, _PATIENCE_S)
        else:
            reporter.close()
            self._queues.put_back([order.message], round(LOST_SECONDS - silent) + 1)
            return
        if told:
            self._queues.delete(order.message)

    def _silent_for(self, prefix: str, owner: dict[str, Any]) -> float:
        """Seconds since the owner's last sign of life."""
        try:
            last = json.loads(self._storage.read(prefix + BEAT))["at"]
        except Missing:
            last = owner["at"]
        return (datetime.now(UTC) - datetime.fromisoformat(last)).total_seconds()

    def _refuse(self, message: Message, prefix: str, error: UnreadableManifest) -> None:
        """Fail an attempt whose manifest is no work order, as its claimant: others are not believed."""
        _logger.error("a manifest that cannot be read", extra={"prefix": prefix, "error": str(error)})
        if error.told_to is None:
            self._queues.put_back([message])
            return
        try:
            if claim(self._storage, prefix, self._settings.batch_job_id, self._settings.batch_attempt) == "stranger":
                self._queues.delete(message)
                return
        except WorkerError as weather:
            self._later(message, weather)
            return
        if Reporter(*error.told_to, self._sqs).failed(error, None, _PATIENCE_S):
            self._queues.delete(message)

    def _later(self, message: Message, error: WorkerError) -> None:
        _logger.warning("a ticket is put back: %s", error)
        self._queues.put_back([message], _LATER_S)


def beat(storage: Storage, prefix: str, batch_job_id: str) -> None:
    """Rewrite the attempt's sign of life."""
    body = json.dumps({"batch_job_id": batch_job_id, "at": datetime.now(UTC).isoformat()})
    storage.write(prefix + BEAT, body.encode(), "application/json")


def is_canceled(storage: Storage, prefix: str) -> bool:
    """Whether the control plane has left its word that nobody wants the attempt."""
    try:
        storage.read(prefix + CANCELED)
    except Missing:
        return False
    return True
