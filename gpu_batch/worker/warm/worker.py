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
from worker.errors import DeadlineError, Exit, Interrupted, ProcessUnusable, WorkerError, explain
from worker.kinds import KINDS, Kind
from worker.progress import reports_client
from worker.signals import Stop
from worker.stages.image import draw
from worker.stages.image.load import Models, OnProgress
from worker.storage import Storage, client
from worker.tools import log_json
from worker.warm.completion import CompletionPool
from worker.warm.heartbeat import Heartbeat
from worker.warm.in_flight_job import BatchKey, InFlightJob, InFlightJobs
from worker.warm.queues import Queues
from worker.warm.renderer import BatchItem, BatchRenderer
from worker.warm.selection import Share, choose, is_fairness_turn
from worker.warm.settings import Settings
from worker.warm.ticket_receiver import TicketReceiver
from worker.workspace import scratch

_logger = logging.getLogger(__name__)
_POLL_S = 2
"""How long an idle worker's polls last: also how soon it notices that it has to leave."""
BATCHES_AHEAD = 4
"""Micro-batches in flight: enough that compatible jobs meet, few enough that a worker that joins finds work too."""
_FINAL_REPORT_TIMEOUT_S = 4.0
_CLAIM_THREADS = 8


class Loader(Protocol):
    """Where engines come from; `worker.stages.image.load.Models`."""

    loaded: tuple[str, bool] | None

    def engine(self, model: str, on_progress: OnProgress, *, reduced: bool) -> ImageEngine:
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
        # The heartbeat and completion threads share this client with the polls.
        self._queues = Queues(client("sqs", max_pool_connections=20), settings.queue_urls)
        self._in_flight = InFlightJobs()
        self._stop = Stop(None, self._give_up)
        self._completion = CompletionPool(self._kind, self._in_flight, self._queues, self._stop)
        self._renderer = BatchRenderer(self._stop, settings.micro_batch, self._completion.keep, self._failed)
        self._receiver = TicketReceiver(
            settings, self._storage, self._queues, self._in_flight, self._stop,
            folder=folder, kind=self._kind, adapters=AdapterCache(self._storage, folder / "adapters"),
            sqs=reports_client(), failed=self._failed,
        )  # fmt: skip
        self._threads = ThreadPoolExecutor(_CLAIM_THREADS, "claim")
        self._turn = 0

    def run(self) -> Exit:
        """Work until the queues have been empty for a while, or the process has to stop."""
        on_stuck = self._stuck
        with self._stop, Heartbeat(self._in_flight, self._storage, self._queues, self._settings.batch_job_id, on_stuck):
            _logger.info("warm worker", extra={"micro_batch": self._settings.micro_batch})
            try:
                self._drain()
                code = Exit.DONE
            except Interrupted:
                code = Exit.TRY_AGAIN
                self._end_all(Interrupted())
            except ProcessUnusable as error:
                _logger.exception("nothing can be done here any more")
                code = Exit.TRY_AGAIN
                self._end_all(error)
            self._queues.put_back(self._queues.close())
            self._threads.shutdown()
            self._completion.close()
            _logger.info("the worker leaves", extra={"code": int(code)})
        return code

    def _drain(self) -> None:
        busy_at = time.monotonic()
        while True:
            self._stop.check()
            self._receive(self._settings.idle_s - (time.monotonic() - busy_at))
            if self._draw_next() or self._in_flight.all() or self._completion.pending:
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at >= self._settings.idle_s:
                return

    def _receive(self, timeout_s: float) -> None:
        """Take what waits, at once where there are jobs to draw; otherwise wait a little for some."""
        waiting = [job for job in self._in_flight.all() if job.missing]
        wanted = BATCHES_AHEAD * self._settings.micro_batch - sum(len(job.missing) for job in waiting)
        if waiting and wanted > 0:
            messages = self._queues.take(wanted, urgent_last=is_fairness_turn(self._turn))
        elif waiting:
            # Enough is in flight, perhaps one large job: only what is more urgent may still come in.
            most_urgent = min(job.priority for job in waiting)
            messages = self._queues.take(self._settings.micro_batch, more_urgent_than=most_urgent)
        else:
            messages = self._queues.wait(min(wanted, 10), max(0, min(_POLL_S, math.ceil(timeout_s))))
        list(self._threads.map(self._receiver.open, messages))

    def _draw_next(self) -> bool:
        """Draw one micro-batch; False where there is nothing to draw."""
        jobs = [job for job in self._in_flight.all() if job.missing and not job.failing]
        loaded, now = self._models.loaded, time.monotonic()
        shares = choose(jobs, self._settings.micro_batch, loaded, self._turn, now)
        if not shares:
            return False
        capacity = self._renderer.capacity(shares[0].job.key)
        if capacity < self._settings.micro_batch:
            shares = choose(jobs, capacity, loaded, self._turn, now)
        # Once more: what came to light since the loop's own look must not cost another job an attempt.
        self._stop.check()
        self._turn += 1
        items = self._claimed(shares)
        if not items:
            return True
        engine = self._engine([item.job for item in items])
        if engine is None:
            return True
        for job in {item.job for item in items}:
            attempt, _ = job.claimed_attempt()
            attempt.begin("draw")
            draw.note_engine(attempt, engine)
        for item in items:
            item.job.missing.remove(item.index)
        self._renderer.run(engine, items)
        return True

    def _claimed(self, shares: list[Share[InFlightJob]]) -> list[BatchItem]:
        """The pictures of the shares whose attempts are ours."""
        new = [share.job for share in shares if not share.job.claimed]
        ours = dict(zip(new, self._threads.map(self._receiver.claim, new), strict=True))
        for job, is_ours in ours.items():
            if is_ours and not job.missing:
                # An earlier entry drew everything.
                self._completion.finish(job)
        return [
            BatchItem(share.job, index)
            for share in shares
            if ours.get(share.job, True)
            for index in share.indices
            if index in share.job.missing
        ]

    def _engine(self, jobs: list[InFlightJob]) -> ImageEngine | None:
        """The engine that the jobs need; None where it cannot be had, and they have failed."""
        key: BatchKey = jobs[0].key
        loads = self._models.loaded != (key.model, key.reduced)
        started = time.monotonic()

        def on_progress(share: float) -> None:
            self._stop.check()
            for job in set(jobs):
                job.claimed_attempt()[0].progress(0.5 * share, "Fetching the model")

        if loads:
            for job in set(jobs):
                job.claimed_attempt()[0].begin("load")
        try:
            engine = self._models.engine(key.model, on_progress, reduced=key.reduced)
        except Exception as unexpected:
            self._stop.check()
            _logger.exception("the model could not be loaded")
            for job in set(jobs):
                self._failed(job, explain(unexpected))
            return None
        if loads:
            seconds = time.monotonic() - started
            _logger.info("model", extra={"model": key.model, "seconds": round(seconds, 3)})
            for job in set(jobs):
                # Reported, and charged to nobody: those who come after use it as well.
                job.claimed_attempt()[0].meter.add("load", seconds)
        return engine

    def _failed(self, job: InFlightJob, error: WorkerError) -> None:
        """End a claimed job with an error; the first one counts."""
        if not job.failing:
            job.failing = True
            self._completion.fail(job, error)

    def _end_all(self, error: WorkerError) -> None:
        """Put back what is not claimed, and end what is claimed and not drawn."""
        jobs = self._in_flight.all()
        unclaimed = [job for job in jobs if not job.claimed]
        self._queues.put_back([job.message for job in unclaimed])
        for job in unclaimed:
            self._in_flight.remove(job)
        for job in jobs:
            # One whose last pictures are drawn and being written still ends well.
            if job.claimed and not job.all_drawn:
                self._failed(job, error)

    def _stuck(self) -> None:
        """The drawing has not come back long after a deadline: end the process from outside of it."""
        self._give_up(DeadlineError())

    def _give_up(self, error: WorkerError) -> None:
        _logger.error("the drawing did not stop in time: %s", error)
        for job in self._in_flight.all():
            if job.reporter is not None and not job.ended:
                job.reporter.failed(job.stop_reason() or Interrupted(), None, _FINAL_REPORT_TIMEOUT_S)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(Exit.TRY_AGAIN)
