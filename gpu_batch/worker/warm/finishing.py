"""What follows the drawing, while the GPU draws on: writing and keeping pictures, and each attempt's end."""

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from worker.errors import Interrupted, Unfit, WorkerError, explain
from worker.kinds import Kind
from worker.lifecycle import run_stage, write_partial, write_result
from worker.signals import Stop
from worker.stages.image import draw
from worker.stages.image.work import pictures
from worker.warm.intake import Hand
from worker.warm.order import Order
from worker.warm.queues import Queues

_logger = logging.getLogger(__name__)
_THREADS = 4
_MOST_OPEN = 64
_PATIENCE_S = 120.0
_PATIENCE_INTERRUPTED_S = 20.0
_LONGEST_CLOSE_S = 45.0


class Finishing:
    """A pool of threads; an order's lock keeps them from working on one attempt together."""

    def __init__(self, kind: Kind, hand: Hand, queues: Queues, stop: Stop) -> None:
        self._kind = kind
        self._hand = hand
        self._queues = queues
        self._stop = stop
        self._pool = ThreadPoolExecutor(_THREADS, "finishing")
        self._open: set[Future[None]] = set()

    @property
    def busy(self) -> int:
        """How many deeds are not done yet."""
        self._open = {future for future in self._open if not future.done()}
        return len(self._open)

    def keep(self, order: Order, index: int, picture: Any) -> None:
        """Write a drawn picture and store it; after the last one the attempt is ended."""
        order.handed += 1
        if self.busy > _MOST_OPEN:
            # Drawing outruns writing: pictures must not pile up in memory.
            wait(self._open, return_when=FIRST_COMPLETED)
        self._submit(lambda: self._keep(order, index, picture))

    def succeed(self, order: Order) -> None:
        """End an order that has all its pictures."""
        self._submit(lambda: self._guarded(order, self._succeed))

    def fail(self, order: Order, error: WorkerError) -> None:
        """End an order without its result."""
        order.missing.clear()
        self._submit(lambda: self._guarded(order, lambda order: self._fail(order, error)))

    def close(self) -> None:
        """Wait for what is under way, for a time: the machine may be gone soon."""
        wait(self._open, timeout=_LONGEST_CLOSE_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, deed: Callable[[], None]) -> None:
        def told() -> None:
            try:
                deed()
            except Exception:
                # The thread's edge: without an end told, the message comes again when it is visible.
                _logger.exception("an attempt could not be ended")

        self._open.add(self._pool.submit(told))

    def _guarded(self, order: Order, deed: Callable[[Order], None]) -> None:
        with order.lock:
            if order.ended:
                return
            try:
                deed(order)
            except Exception as unexpected:
                # As at the edge of `worker.run`: whatever it was is told, with its traceback in the log.
                _logger.exception("the attempt failed")
                self._fail(order, explain(unexpected))

    def _keep(self, order: Order, index: int, picture: Any) -> None:
        def write(order: Order) -> None:
            attempt, _ = order.in_hand()
            draw.keep(attempt, index, picture)
            order.left -= 1
            if order.left:
                path = pictures(attempt)[index]
                attempt.checkpoint(path.name, path)
            else:
                self._succeed(order)

        self._guarded(order, write)

    def _succeed(self, order: Order) -> None:
        attempt, reporter = order.in_hand()
        draw.name_results(attempt)
        for stage in self._kind.stages:
            if stage.name not in ("load", "draw"):
                run_stage(attempt, stage)
        uri = write_result(attempt, self._kind)
        self._leave(order, told=reporter.done(uri, _PATIENCE_S))

    def _fail(self, order: Order, error: WorkerError) -> None:
        attempt, reporter = order.in_hand()
        if isinstance(error, Unfit):
            # First: whatever is taken up or drawn from now on would end the same way.
            self._stop.leave(error)
        _logger.warning("an attempt ends", extra={"prefix": order.prefix, "code": error.code, "error": error.message})
        order.missing.clear()
        partial = write_partial(attempt, self._kind, error)
        patience = _PATIENCE_INTERRUPTED_S if isinstance(error, Interrupted) else _PATIENCE_S
        self._leave(order, told=reporter.failed(error, partial, patience))

    def _leave(self, order: Order, *, told: bool) -> None:
        """Only what was told is deleted: otherwise the message comes again, and with it somebody who finds out."""
        attempt, _ = order.in_hand()
        order.ended = True
        if told:
            self._queues.delete(order.message)
        self._hand.drop(order, past=told)
        shutil.rmtree(attempt.folder.parent, ignore_errors=True)
