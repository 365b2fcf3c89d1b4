"""What has to happen every few seconds while the worker works: beats, visibility of messages, looking for cancels."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from snapforge.contracts.tickets import BEAT_SECONDS
from worker.errors import WorkerError
from worker.signals import GRACE_S
from worker.storage import Storage
from worker.warm.in_flight_job import InFlightJob, InFlightJobs
from worker.warm.queues import VISIBILITY_S, Queues
from worker.warm.ticket_receiver import is_canceled, write_beat

_logger = logging.getLogger(__name__)
TICK_S = 1.0
CANCEL_CHECK_S = 3.0
"""Between two reads of canceled.json."""
EXTEND_S = VISIBILITY_S / 3


class Heartbeat:
    """Runs `tick` in a thread of its own. Use as a context manager.

    `on_stuck` is called when a job is still undrawn long after its deadline: the drawing does not come back.
    """

    def __init__(
        self, in_flight: InFlightJobs, storage: Storage, queues: Queues, batch_job_id: str, on_stuck: Callable[[], None]
    ) -> None:
        self._in_flight = in_flight
        self._storage = storage
        self._queues = queues
        self._batch_job_id = batch_job_id
        self._on_stuck = on_stuck
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(TICK_S):
            self.tick(time.monotonic())

    def tick(self, now: float) -> None:
        """Do what is due at `now`, on the clock of `InFlightJob.arrived`."""
        jobs = self._in_flight.all()
        due = [job for job in jobs if now - job.visibility_extended_at >= EXTEND_S]
        for job in due:
            job.visibility_extended_at = now
        self._queues.extend([job.message for job in due])
        for job in jobs:
            if job.claimed and not job.ended:
                self._tick_claimed(job, now)
        stuck_before = datetime.now(UTC) - timedelta(seconds=GRACE_S)
        if any(job.claimed and not job.all_drawn and job.manifest.deadline < stuck_before for job in jobs):
            self._on_stuck()

    def _tick_claimed(self, job: InFlightJob, now: float) -> None:
        try:
            if now - job.last_beat_at >= BEAT_SECONDS - TICK_S:
                write_beat(self._storage, job.prefix, self._batch_job_id)
                job.last_beat_at = now
            if now - job.last_cancel_check_at >= CANCEL_CHECK_S and not job.canceled.is_set():
                job.last_cancel_check_at = now
                if is_canceled(self._storage, job.prefix):
                    job.canceled.set()
        except WorkerError as error:
            # The next tick tries again; a beat has several tries before the attempt counts as lost.
            _logger.warning("heartbeat: %s", error)
