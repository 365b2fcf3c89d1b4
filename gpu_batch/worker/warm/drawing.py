"""Drawing a micro-batch so that one bad request fails alone, and sharing out what it cost.

An exception of several pictures draws each of them again alone: who raises then is who is to blame. Out of memory
halves the micro-batch, for good, since the next one of that size would end the same way.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.engines.base import ImageEngine
from worker.errors import BugError, OutOfMemory, Unfit, WorkerError, explain
from worker.signals import Stopping
from worker.stages.image import draw
from worker.warm.choice import share_out
from worker.warm.order import Key, Order, image_work

_logger = logging.getLogger(__name__)
_BROKEN_GPU = ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS")


class GpuBrokenError(Unfit):
    """The process cannot compute on the GPU any more; only a fresh one can."""

    def __init__(self, message: str) -> None:
        super().__init__("gpu_broken", message)


@dataclass(frozen=True)
class Sheet:
    """One picture to draw."""

    order: Order
    index: int


@dataclass
class Drawing:
    """Draws micro-batches. `kept` gets each picture, `failed` each order that ends without.

    `room` is how many pictures of a key fit at once: the setting, less where memory did not suffice (whatever the
    adapters: they are small beside what a picture needs).
    """

    stop: Stopping
    micro_batch: int
    kept: Callable[[Order, int, Any], None]
    failed: Callable[[Order, WorkerError], None]
    _rooms: dict[Key, int] = field(default_factory=dict)

    def room(self, key: Key) -> int:
        """Most pictures of this key at once."""
        return self._rooms.get(key.plain, self.micro_batch)

    def run(self, engine: ImageEngine, sheets: Sequence[Sheet]) -> None:
        """Draw pictures of one key. Raises Interrupted or Unfit; nothing else."""
        wanted = [sheet for sheet in sheets if not self._left(sheet)]
        if not wanted:
            return
        try:
            pictures = self._timed(engine, wanted)
        except Exception as unexpected:  # noqa: BLE001 - whatever one picture raises must not end the others
            self.stop.check()
            self._apart(engine, wanted, _meaning(unexpected))
            return
        for sheet, picture in zip(wanted, pictures, strict=True):
            if picture is not None and not self._left(sheet):
                self.kept(sheet.order, sheet.index, picture)

    def _apart(self, engine: ImageEngine, sheets: Sequence[Sheet], error: WorkerError) -> None:
        """Draw again in smaller parts what failed together; blame who fails alone."""
        if isinstance(error, Unfit):
            raise error
        if len(sheets) == 1:
            _logger.warning("a picture failed: %s", error, exc_info=error.__cause__ or error)
            self.failed(sheets[0].order, error)
            return
        key, alone = sheets[0].order.key, not isinstance(error, OutOfMemory)
        if not alone:
            self._rooms[key.plain] = len(sheets) // 2
        _logger.warning("a micro-batch is drawn again in parts", extra={"error": str(error), "pictures": len(sheets)})
        rest = list(sheets)
        while rest:
            # Asked anew each time: the first half may have found that it does not fit either.
            part = 1 if alone else self.room(key)
            self.run(engine, rest[:part])
            rest = rest[part:]

    def _timed(self, engine: ImageEngine, sheets: Sequence[Sheet]) -> list[Any]:
        drawn = [0] * len(sheets)

        def on_step(done: int, steps: int) -> set[int]:
            self.stop.check()
            gone = {at for at, sheet in enumerate(sheets) if self._left(sheet)}
            staying = [sheet.order for at, sheet in enumerate(sheets) if at not in gone]
            for at in range(len(sheets)):
                drawn[at] += at not in gone
            for order, pictures in Counter(staying).items():
                _tell(order, pictures * done / steps)
            return gone

        begun = time.monotonic()
        try:
            return engine.draw(
                [draw.wish(sheet.order.in_hand()[0]) for sheet in sheets],
                [image_work(sheet.order.manifest).seed + sheet.index for sheet in sheets],
                on_step,
            )
        finally:
            self._charge(sheets, drawn, round((time.monotonic() - begun) * 1000))

    def _charge(self, sheets: Sequence[Sheet], drawn: Sequence[int], milliseconds: int) -> None:
        """Share the machine's time out by the steps that each picture was drawn for."""
        for sheet, part in zip(sheets, share_out(milliseconds, drawn), strict=True):
            attempt, _ = sheet.order.in_hand()
            attempt.meter.charge("draw", part)
        _logger.info("micro-batch", extra={"pictures": len(sheets), "milliseconds": milliseconds})

    def _left(self, sheet: Sheet) -> bool:
        """Whether nobody wants the picture; the first to see that ends its order."""
        if sheet.order.ended or sheet.order.failing:
            return True
        if reason := sheet.order.unwanted():
            self.failed(sheet.order, reason)
            return True
        return False


def _tell(order: Order, under_way: float) -> None:
    """Progress of an order, of whose pictures `under_way` are drawn in this micro-batch."""
    attempt, _ = order.in_hand()
    count = image_work(order.manifest).count
    before = count - order.wanted + order.handed
    attempt.progress((before + under_way) / count, f"Picture {min(before + 1, count)} of {count}")


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
