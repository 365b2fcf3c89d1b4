"""The warm worker's loop: receive, choose, claim, draw, and leave when there is nothing to do."""

import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from worker.adapters import AdapterCache
from worker.engines.base import ImageEngine
from worker.errors import DeadlineError, Exit, Interrupted, Unfit, WorkerError, explain
from worker.kinds import KINDS, Kind
from worker.progress import reports_client
from worker.signals import Stop
from worker.stages.image import draw
from worker.stages.image.load import Models, Told
from worker.storage import Storage, client
from worker.tools import log_json
from worker.warm.choice import Share, choose, others_turn
from worker.warm.drawing import Drawing, Sheet
from worker.warm.finishing import Finishing
from worker.warm.intake import Hand, Intake
from worker.warm.order import Key, Order
from worker.warm.queues import Queues
from worker.warm.settings import Settings
from worker.warm.upkeep import Upkeep
from worker.workspace import scratch

_logger = logging.getLogger(__name__)
_POLL_S = 2
"""How long an idle worker's polls last: also how soon it notices that it has to leave."""
AHEAD = 4
"""Micro-batches in hand: enough that compatible orders meet, few enough that a worker that joins finds work too."""
_LAST_WORDS_S = 4.0
_INTAKE_THREADS = 8


class Loader(Protocol):
    """Where engines come from; `worker.stages.image.load.Models`."""

    loaded: tuple[str, bool] | None

    def engine(self, model: str, told: Told, *, reduced: bool) -> ImageEngine:
        """The engine with `model` loaded."""
        ...


def main(models: Callable[[], Loader] = Models) -> int:
    """Drain the queues until they stay empty; returns the exit code (`errors.Exit`).

    Environment: IMAGE_QUEUE_URLS, IDLE_SECONDS, MICRO_BATCH, AWS_BATCH_JOB_ID, AWS_BATCH_JOB_ATTEMPT (see `Settings`),
    WORKSPACE (scratch base, optional), WEIGHTS_URI and WEIGHTS_CACHE (see `worker.weights`), and what boto3 reads.
    """
    log_json(batch_job_id=os.environ.get("AWS_BATCH_JOB_ID", ""))
    try:
        settings = Settings.read()
        with scratch(settings.batch_job_id) as folder:
            return WarmWorker(settings, folder, models()).run()
    except (WorkerError, OSError) as error:
        _logger.exception("the worker could not begin")
        return explain(error).exit


class WarmWorker:
    """One process with one model in memory."""

    def __init__(self, settings: Settings, folder: Path, models: Loader) -> None:
        self._settings = settings
        self._folder = folder
        self._models = models
        self._kind = Kind.of(KINDS["image"])
        self._storage = Storage()
        # Upkeep and finishing threads share this client with the polls.
        self._queues = Queues(client("sqs", max_pool_connections=20), settings.queue_urls)
        self._hand = Hand()
        self._stop = Stop(None, self._give_up)
        self._finishing = Finishing(self._kind, self._hand, self._queues, self._stop)
        self._drawing = Drawing(self._stop, settings.micro_batch, self._finishing.keep, self._failed)
        self._intake = Intake(
            settings, self._storage, self._queues, self._hand, self._stop,
            folder=folder, kind=self._kind, adapters=AdapterCache(self._storage, folder / "adapters"),
            sqs=reports_client(), failed=self._failed,
        )  # fmt: skip
        self._threads = ThreadPoolExecutor(_INTAKE_THREADS, "intake")
        self._turn = 0

    def run(self) -> Exit:
        """Work until the queues have been empty for a while, or the process has to stop."""
        on_stuck = self._stuck
        with self._stop, Upkeep(self._hand, self._storage, self._queues, self._settings.batch_job_id, on_stuck):
            _logger.info("warm worker", extra={"micro_batch": self._settings.micro_batch})
            try:
                self._drain()
                code = Exit.DONE
            except Interrupted:
                code = Exit.TRY_AGAIN
                self._end_all(Interrupted())
            except Unfit as error:
                _logger.exception("nothing can be done here any more")
                code = Exit.TRY_AGAIN
                self._end_all(error)
            self._queues.put_back(self._queues.close())
            self._threads.shutdown()
            self._finishing.close()
            _logger.info("the worker leaves", extra={"code": int(code)})
        return code

    def _drain(self) -> None:
        busy_at = time.monotonic()
        while True:
            self._stop.check()
            self._receive(self._settings.idle_s - (time.monotonic() - busy_at))
            if self._draw_next() or self._hand.all() or self._finishing.busy:
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at >= self._settings.idle_s:
                return

    def _receive(self, patience_s: float) -> None:
        """Take in what waits, at once where there is work in hand; otherwise wait a little for some."""
        waiting = [order for order in self._hand.all() if order.missing]
        wanted = AHEAD * self._settings.micro_batch - sum(len(order.missing) for order in waiting)
        if waiting and wanted > 0:
            messages = self._queues.take(wanted, urgent_last=others_turn(self._turn))
        elif waiting:
            # The hand is full, perhaps of one large order: only what is more urgent may still come in.
            most_urgent = min(order.priority for order in waiting)
            messages = self._queues.take(self._settings.micro_batch, more_urgent_than=most_urgent)
        else:
            messages = self._queues.wait(min(wanted, 10), max(0, min(_POLL_S, math.ceil(patience_s))))
        list(self._threads.map(self._intake.open, messages))

    def _draw_next(self) -> bool:
        """Draw one micro-batch; False where there is nothing to draw."""
        orders = [order for order in self._hand.all() if order.missing and not order.failing]
        loaded, now = self._models.loaded, time.monotonic()
        shares = choose(orders, self._settings.micro_batch, loaded, self._turn, now)
        if not shares:
            return False
        room = self._drawing.room(shares[0].order.key)
        if room < self._settings.micro_batch:
            shares = choose(orders, room, loaded, self._turn, now)
        # Once more: what came to light since the loop's own look must not cost another order an attempt.
        self._stop.check()
        self._turn += 1
        sheets = self._claimed(shares)
        if not sheets:
            return True
        engine = self._engine([sheet.order for sheet in sheets])
        if engine is None:
            return True
        for order in {sheet.order for sheet in sheets}:
            attempt, _ = order.in_hand()
            attempt.begin("draw")
            draw.introduce(attempt, engine)
        for sheet in sheets:
            sheet.order.missing.remove(sheet.index)
        self._drawing.run(engine, sheets)
        return True

    def _claimed(self, shares: list[Share[Order]]) -> list[Sheet]:
        """The pictures of the shares whose attempts are ours."""
        new = [share.order for share in shares if not share.order.claimed]
        ours = dict(zip(new, self._threads.map(self._intake.claim, new), strict=True))
        for order, is_ours in ours.items():
            if is_ours and not order.missing:
                # An earlier entry drew everything.
                self._finishing.succeed(order)
        return [
            Sheet(share.order, index)
            for share in shares
            if ours.get(share.order, True)
            for index in share.indices
            if index in share.order.missing
        ]

    def _engine(self, orders: list[Order]) -> ImageEngine | None:
        """The engine that the orders need; None where it cannot be had, and they have failed."""
        key: Key = orders[0].key
        loads = self._models.loaded != (key.model, key.reduced)
        begun = time.monotonic()

        def told(share: float) -> None:
            self._stop.check()
            for order in set(orders):
                order.in_hand()[0].progress(0.5 * share, "Fetching the model")

        if loads:
            for order in set(orders):
                order.in_hand()[0].begin("load")
        try:
            engine = self._models.engine(key.model, told, reduced=key.reduced)
        except Exception as unexpected:
            self._stop.check()
            _logger.exception("the model could not be loaded")
            for order in set(orders):
                self._failed(order, explain(unexpected))
            return None
        if loads:
            seconds = time.monotonic() - begun
            _logger.info("model", extra={"model": key.model, "seconds": round(seconds, 3)})
            for order in set(orders):
                # Told, and charged to nobody: those who come after use it as well.
                order.in_hand()[0].meter.add("load", seconds)
        return engine

    def _failed(self, order: Order, error: WorkerError) -> None:
        """End a claimed order with an error; the first one counts."""
        if not order.failing:
            order.failing = True
            self._finishing.fail(order, error)

    def _end_all(self, error: WorkerError) -> None:
        """Put back what is not claimed, and end what is claimed and not drawn."""
        orders = self._hand.all()
        unclaimed = [order for order in orders if not order.claimed]
        self._queues.put_back([order.message for order in unclaimed])
        for order in unclaimed:
            self._hand.drop(order)
        for order in orders:
            # One whose last pictures are drawn and being written still ends well.
            if order.claimed and not order.drawn:
                self._failed(order, error)

    def _stuck(self) -> None:
        """The drawing has not come back long after a deadline: end the process from outside of it."""
        self._give_up(DeadlineError())

    def _give_up(self, error: WorkerError) -> None:
        _logger.error("the drawing did not stop in time: %s", error)
        for order in self._hand.all():
            if order.reporter is not None and not order.ended:
                order.reporter.failed(order.unwanted() or Interrupted(), None, _LAST_WORDS_S)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(Exit.TRY_AGAIN)
