"""What has to happen every few seconds while the worker works: signs of life, visibility, looking for cancels."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from snapforge.contracts.tickets import BEAT_SECONDS
from worker.errors import WorkerError
from worker.signals import GRACE_S
from worker.storage import Storage
from worker.warm.intake import Hand, beat, is_canceled
from worker.warm.order import Order
from worker.warm.queues import VISIBILITY_S, Queues

_logger = logging.getLogger(__name__)
TICK_S = 1.0
LOOK_S = 3.0
"""Between two looks for canceled.json."""
EXTEND_S = VISIBILITY_S / 3


class Upkeep:
    """Runs `tend` in a thread of its own. Use as a context manager.

    `on_stuck` is called when an order is still undrawn long after its deadline: the drawing does not come back.
    """

    def __init__(
        self, hand: Hand, storage: Storage, queues: Queues, batch_job_id: str, on_stuck: Callable[[], None]
    ) -> None:
        self._hand = hand
        self._storage = storage
        self._queues = queues
        self._batch_job_id = batch_job_id
        self._on_stuck = on_stuck
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> "Upkeep":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(TICK_S):
            self.tend(time.monotonic())

    def tend(self, now: float) -> None:
        """Do what is due at `now`, on the clock of `Order.arrived`."""
        orders = self._hand.all()
        due = [order for order in orders if now - order.extended_at >= EXTEND_S]
        for order in due:
            order.extended_at = now
        self._queues.extend([order.message for order in due])
        for order in orders:
            if order.claimed and not order.ended:
                self._tend_claimed(order, now)
        patience = datetime.now(UTC) - timedelta(seconds=GRACE_S)
        if any(order.claimed and not order.drawn and order.manifest.deadline < patience for order in orders):
            self._on_stuck()

    def _tend_claimed(self, order: Order, now: float) -> None:
        try:
            if now - order.beaten_at >= BEAT_SECONDS - TICK_S:
                beat(self._storage, order.prefix, self._batch_job_id)
                order.beaten_at = now
            if now - order.looked_at >= LOOK_S and not order.canceled.is_set():
                order.looked_at = now
                if is_canceled(self._storage, order.prefix):
                    order.canceled.set()
        except WorkerError as error:
            # The next tick tries again; a beat has several tries before the attempt counts as lost.
            _logger.warning("upkeep: %s", error)
