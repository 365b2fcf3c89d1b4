"""What follows the drawing, while the GPU draws on: writing and keeping pictures, and each attempt's end."""

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from worker.errors import Interrupted, ProcessUnusable, WorkerError, explain
from worker.kinds import Kind
from worker.lifecycle import run_stage, write_partial, write_result
from worker.signals import Stop
from worker.stages.image import draw
from worker.stages.image.work import pictures
from worker.warm.in_flight_job import InFlightJob, InFlightJobs
from worker.warm.queues import Queues

_logger = logging.getLogger(__name__)
_THREADS = 4
_MAX_PENDING = 64
_REPORT_TIMEOUT_S = 120.0
_REPORT_TIMEOUT_INTERRUPTED_S = 20.0
_MAX_CLOSE_S = 45.0


class CompletionPool:
    """A pool of threads; a job's lock keeps them from working on one attempt together."""

    def __init__(self, kind: Kind, in_flight: InFlightJobs, queues: Queues, stop: Stop) -> None:
        self._kind = kind
        self._in_flight = in_flight
        self._queues = queues
        self._stop = stop
        self._pool = ThreadPoolExecutor(_THREADS, "completion")
        self._pending: set[Future[None]] = set()

    @property
    def pending(self) -> int:
        """How many operations are not done yet."""
        self._pending = {future for future in self._pending if not future.done()}
        return len(self._pending)

    def keep(self, job: InFlightJob, index: int, picture: Any) -> None:
        """Write a drawn picture and store it; after the last one the attempt is ended."""
        job.drawn_count += 1
        if self.pending > _MAX_PENDING:
            # Drawing outruns writing: pictures must not pile up in memory.
            wait(self._pending, return_when=FIRST_COMPLETED)
        self._submit(lambda: self._keep(job, index, picture))

    def finish(self, job: InFlightJob) -> None:
        """End a job that has all its pictures."""
        self._submit(lambda: self._guarded(job, self._finish))

    def fail(self, job: InFlightJob, error: WorkerError) -> None:
        """End a job without its result."""
        job.missing.clear()
        self._submit(lambda: self._guarded(job, lambda job: self._fail(job, error)))

    def close(self) -> None:
        """Wait for what is under way, for a time: the machine may be gone soon."""
        wait(self._pending, timeout=_MAX_CLOSE_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, operation: Callable[[], None]) -> None:
        def run_logged() -> None:
            try:
                operation()
            except Exception:
                # The thread's edge: without a reported end the message comes again when it is visible.
                _logger.exception("an attempt could not be ended")

        self._pending.add(self._pool.submit(run_logged))

    def _guarded(self, job: InFlightJob, operation: Callable[[InFlightJob], None]) -> None:
        with job.lock:
            if job.ended:
                return
            try:
                operation(job)
            except Exception as unexpected:
                # As at the edge of `worker.run`: whatever it was is reported, with its traceback in the log.
                _logger.exception("the attempt failed")
                self._fail(job, explain(unexpected))

    def _keep(self, job: InFlightJob, index: int, picture: Any) -> None:
        def write(job: InFlightJob) -> None:
            attempt, _ = job.claimed_attempt()
            draw.keep(attempt, index, picture)
            job.unwritten -= 1
            if job.unwritten:
                path = pictures(attempt)[index]
                attempt.checkpoint(path.name, path)
            else:
                self._finish(job)

        self._guarded(job, write)

    def _finish(self, job: InFlightJob) -> None:
        attempt, reporter = job.claimed_attempt()
        draw.name_results(attempt)
        for stage in self._kind.stages:
            if stage.name not in ("load", "draw"):
                run_stage(attempt, stage)
        uri = write_result(attempt, self._kind)
        self._end(job, reported=reporter.done(uri, _REPORT_TIMEOUT_S))

    def _fail(self, job: InFlightJob, error: WorkerError) -> None:
        attempt, reporter = job.claimed_attempt()
        if isinstance(error, ProcessUnusable):
            # First: whatever is taken up or drawn from now on would end the same way.
            self._stop.request(error)
        _logger.warning("an attempt ends", extra={"prefix": job.prefix, "code": error.code, "error": error.message})
        job.missing.clear()
        partial = write_partial(attempt, self._kind, error)
        timeout = _REPORT_TIMEOUT_INTERRUPTED_S if isinstance(error, Interrupted) else _REPORT_TIMEOUT_S
        self._end(job, reported=reporter.failed(error, partial, timeout))

    def _end(self, job: InFlightJob, *, reported: bool) -> None:
        """Delete the message of a reported end. Otherwise it comes again, and its receiver resolves the attempt."""
        attempt, _ = job.claimed_attempt()
        job.ended = True
        if reported:
            self._queues.delete(job.message)
        self._in_flight.remove(job, ended=reported)
        shutil.rmtree(attempt.folder.parent, ignore_errors=True)
