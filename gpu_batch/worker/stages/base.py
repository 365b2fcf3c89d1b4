"""What a stage is, and what it may ask of the frame that runs it.

A kind of job is a tuple `STAGES` in `worker.stages.<kind>`, beside `describe(context) -> (engine, model)` for the
result, which must work at any time, before the first stage too. The frame runs them in order. A process may be killed
at any moment and enter again with an empty folder, so a stage that is worth keeping saves its outputs with `checkpoint`
and gets them back with `restore`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from snapforge.contracts.manifest import Manifest, Work
from snapforge.contracts.results import LoraQuality, Role, SceneQuality

Device = Literal["cuda", "cpu"]


class Context(Protocol):
    """One attempt as its stages see it. Not shared between threads, except `interrupted`."""

    manifest: Manifest
    folder: Path
    """Scratch folder, at each entry empty but for what the frame fetched: photos in `photos/<index:03d>.<ext>`, LoRA
    adapters where `worker.adapters` says."""
    state: dict[str, Any]
    """Small JSON-able facts that later stages need; saved with every checkpoint, back after a re-entry."""
    quality: SceneQuality | None
    """Set by the scene's last stages; goes into the result, a partial one too."""
    lora: LoraQuality | None
    """The same, of a training."""
    interrupted: threading.Event
    """Set when the process has to stop soon: at SIGTERM and at the deadline."""

    @property
    def work(self) -> Work:
        """The manifest's work order."""
        ...

    @property
    def device(self) -> Device:
        """Where to compute. Imports torch at the first call."""
        ...

    @property
    def reduced(self) -> bool:
        """True after an out-of-memory: use the next smaller settings."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Report how far this stage is, 0 to 1. Cheap: call as often as you like. Never raises."""
        ...

    def checkpoint(self, name: str, path: Path) -> None:
        """Keep a file or a folder, and `state`, under `name` (replacing an older one at once or not at all).

        In long stages call it at least every 30 s. Returns when everything is stored.
        """
        ...

    def restore(self, name: str, to: Path) -> bool:
        """Bring back what `checkpoint(name, …)` kept, to the path `to`. False, and nothing written, where none is."""
        ...

    def add_result(
        self,
        path: Path,
        role: Role,
        media_type: str,
        width: int | None = None,
        height: int | None = None,
        seed: int | None = None,
    ) -> None:
        """Name a file that is part of the result; it is uploaded as `path.name` after the last stage.

        Not kept over re-entries: a stage that adds results always runs, or its `done` restores and adds them again.
        """
        ...

    def note(self, text: str) -> None:
        """Add plain words for the customer to the result; the same text twice counts once. Kept over re-entries."""
        ...

    def check_interrupted(self) -> None:
        """Raise `errors.Interrupted` (SIGTERM) or `errors.DeadlineError` when the process has to stop.

        A long stage tests `interrupted`, saves its checkpoint, then calls this.
        """
        ...


@dataclass(frozen=True)
class Stage:
    """One step of a job. `weight` is its share of the progress bar, relative to the other stages."""

    name: str
    weight: float
    run: Callable[[Context], None]
    done: Callable[[Context], bool] | None = None
    """Asked before `run`: restores the outputs and says True where an earlier entry finished. None: always run."""
