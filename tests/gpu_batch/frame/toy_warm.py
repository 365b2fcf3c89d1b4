"""The warm worker with a toy engine: light, slow on demand and failing on demand.

The fields of the work order are used as the toy needs them: `guidance` is the seconds of a step, `prompt` names what
goes wrong, `model` may be `gone`. A picture is one colour, made of its prompt and seed.
"""

import hashlib
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any

from PIL import Image

from worker.engines.base import Drawing, OnStep
from worker.errors import BugError
from worker.stages.image.load import OnProgress
from worker.warm.worker import main

_logger = logging.getLogger("toy")


class OutOfMemoryError(RuntimeError):
    """Named as torch names it."""


class ToyEngine:
    """Draws one colour; `memory` pictures fit at once."""

    notes: tuple[str, ...] = ("A toy drew this.",)

    def __init__(self, name: str, *, memory: int) -> None:
        self.name = f"toy:{name}"
        self._memory = memory

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        return ("no negatives",) if drawing.negative_prompt else ()

    def draw(self, drawings: Sequence[Drawing], seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        adapters = [(adapter.path.read_text(), adapter.weight) for adapter in drawings[0].adapters]
        prompts = [drawing.prompt for drawing in drawings]
        _logger.info("draws", extra={"seeds": list(seeds), "prompts": prompts, "adapters": adapters})
        steps = drawings[0].steps
        gone: set[int] = set()
        for step in range(steps):
            time.sleep(drawings[0].guidance)
            if any("crash" in drawing.prompt for at, drawing in enumerate(drawings) if at not in gone):
                raise ZeroDivisionError("a bad prompt")
            if any("huge" in drawing.prompt for drawing in drawings) or (
                len(drawings) > self._memory and any("large" in drawing.prompt for drawing in drawings)
            ):
                raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
            if any("wreck" in drawing.prompt for drawing in drawings):
                raise RuntimeError("CUDA error: device-side assert triggered")
            gone |= set(on_step(step + 1, steps))
            if len(gone) == len(drawings):
                break
        return [
            None if at in gone else _colour(drawing, seed)
            for at, (drawing, seed) in enumerate(zip(drawings, seeds, strict=True))
        ]


def _colour(drawing: Drawing, seed: int) -> Image.Image:
    digest = hashlib.sha256(f"{drawing.prompt} {seed}".encode()).digest()
    return Image.new("RGB", (drawing.width, drawing.height), tuple(digest[:3]))


class ToyModels:
    """As `worker.stages.image.load.Models`."""

    def __init__(self) -> None:
        self.loaded: tuple[str, bool] | None = None
        self._engine = ToyEngine("", memory=0)

    def engine(self, model: str, on_progress: OnProgress, *, reduced: bool) -> ToyEngine:
        if model == "gone":
            raise BugError("model_missing", "There are no weights.")
        if self.loaded != (model, reduced):
            on_progress(0.5)
            _logger.info("loads", extra={"model": model, "reduced": reduced})
            self.loaded = (model, reduced)
            self._engine = ToyEngine(model, memory=2)
        return self._engine


if __name__ == "__main__":
    sys.exit(main(ToyModels))
