"""Drawing a micro-batch so that one bad request fails alone, and sharing out what it cost.

After an exception of several pictures each of them is drawn again alone: what raises then has failed. Out of memory
halves the micro-batch, for good, since the next one of that size would end the same way.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.engines.base import ImageEngine
from worker.errors import BugError, OutOfMemory, ProcessUnusable, WorkerError, explain
from worker.signals import Stopping
from worker.stages.image import draw
from worker.warm.in_flight_job import BatchKey, InFlightJob, image_work
from worker.warm.selection import share_out

_logger = logging.getLogger(__name__)
_BROKEN_GPU = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS")


class GpuBrokenError(ProcessUnusable):
    """The process cannot compute on the GPU any more; only a fresh one can."""

    def __init__(self, message: str) -> None:
        super().__init__("gpu_broken", message)


@dataclass(frozen=True)
class BatchItem:
    """One picture to draw."""

    job: InFlightJob
    index: int


@dataclass
class BatchRenderer:
    """Draws micro-batches. `kept` gets each picture, `failed` each job that ends without.

    `capacity` is how many pictures of a key fit at once: the setting, less where memory did not suffice (whatever the
    adapters: they are small beside what a picture needs).
    """

    stop: Stopping
    micro_batch: int
    kept: Callable[[InFlightJob, int, Any], None]
    failed: Callable[[InFlightJob, WorkerError], None]
    _capacities: dict[BatchKey, int] = field(default_factory=dict)

    def capacity(self, key: BatchKey) -> int:
        """The maximum of pictures of this key at once."""
        return self._capacities.get(key.plain, self.micro_batch)

    def run(self, engine: ImageEngine, items: Sequence[BatchItem]) -> None:
        """Draw pictures of one key. Raises Interrupted or ProcessUnusable; nothing else."""
        to_draw = [item for item in items if not self._is_stopped(item)]
        if not to_draw:
            return
        try:
            pictures = self._draw_timed(engine, to_draw)
        except Exception as unexpected:  # noqa: BLE001 - whatever one picture raises must not end the others
            self.stop.check()
            self._redraw_in_parts(engine, to_draw, _meaning(unexpected))
            return
        for item, picture in zip(to_draw, pictures, strict=True):
            if picture is not None and not self._is_stopped(item):
                self.kept(item.job, item.index, picture)

    def _redraw_in_parts(self, engine: ImageEngine, items: Sequence[BatchItem], error: WorkerError) -> None:
        """Draw again in smaller parts what failed together; only what fails alone has failed."""
        if isinstance(error, ProcessUnusable):
            raise error
        if len(items) == 1:
            _logger.warning("a picture failed: %s", error, exc_info=error.__cause__ or error)
            self.failed(items[0].job, error)
            return
        key, alone = items[0].job.key, not isinstance(error, OutOfMemory)
        if not alone:
            self._capacities[key.plain] = len(items) // 2
        _logger.warning("a micro-batch is drawn again in parts", extra={"error": str(error), "pictures": len(items)})
        rest = list(items)
        while rest:
            # Asked anew each time: the first half may have found that it does not fit either.
            part = 1 if alone else self.capacity(key)
            self.run(engine, rest[:part])
            rest = rest[part:]

    def _draw_timed(self, engine: ImageEngine, items: Sequence[BatchItem]) -> list[Any]:
        drawn = [0] * len(items)

        def on_step(done: int, steps: int) -> set[int]:
            self.stop.check()
            gone = {at for at, item in enumerate(items) if self._is_stopped(item)}
            staying = [item.job for at, item in enumerate(items) if at not in gone]
            for at in range(len(items)):
                drawn[at] += at not in gone
            for job, pictures in Counter(staying).items():
                _report_progress(job, pictures * done / steps)
            return gone

        started = time.monotonic()
        try:
            return engine.draw(
                [draw.requested_drawing(item.job.claimed_attempt()[0]) for item in items],
                [image_work(item.job.manifest).seed + item.index for item in items],
                on_step,
            )
        finally:
            self._charge(items, drawn, round((time.monotonic() - started) * 1000))

    def _charge(self, items: Sequence[BatchItem], drawn: Sequence[int], milliseconds: int) -> None:
        """Share the machine's time out by the steps that each picture was drawn for."""
        for item, part in zip(items, share_out(milliseconds, drawn), strict=True):
            attempt, _ = item.job.claimed_attempt()
            attempt.meter.charge("draw", part)
        _logger.info("micro-batch", extra={"pictures": len(items), "milliseconds": milliseconds})

    def _is_stopped(self, item: BatchItem) -> bool:
        """Whether nobody wants the picture; the first to see that ends its job."""
        if item.job.ended or item.job.failing:
            return True
        if reason := item.job.stop_reason():
            self.failed(item.job, reason)
            return True
        return False


def _report_progress(job: InFlightJob, in_progress: float) -> None:
    """Progress of a job, of whose pictures `in_progress` are drawn in this micro-batch."""
    attempt, _ = job.claimed_attempt()
    count = image_work(job.manifest).count
    before = count - job.to_draw + job.drawn_count
    attempt.progress((before + in_progress) / count, f"Picture {min(before + 1, count)} of {count}")


def _meaning(error: Exception) -> WorkerError:
    meaning = explain(error)
    # Named so by torch: after such an error every later call on the device fails too.
    if isinstance(meaning, BugError) and any(text in str(error) for text in _BROKEN_GPU):
        broken = GpuBrokenError(str(error))
        broken.__cause__ = error
        return broken
    if meaning is not error:
        meaning.__cause__ = error
    return meaning
