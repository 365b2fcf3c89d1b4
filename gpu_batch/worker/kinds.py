"""The kinds of work: the module of each, imported when a job of that kind runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from worker.errors import BugError
from worker.stages.base import Context, Stage

KINDS = {"image": "worker.stages.image", "scene": "worker.stages.scene", "lora": "worker.stages.lora"}


@dataclass(frozen=True)
class Kind:
    """What `KINDS` names: the stages, and who drew the result."""

    stages: Sequence[Stage]
    describe: Callable[[Context], tuple[str, str]]

    @classmethod
    def of(cls, name: str) -> "Kind":
        """Import a kind's module. Raises BugError where this image lacks its engines."""
        try:
            module = import_module(name)
        except ImportError as error:
            raise BugError("engine_missing", f"This worker image cannot run {name}: {error}") from error
        return cls(module.STAGES, module.describe)

    @property
    def track(self) -> list[tuple[str, float]]:
        """(name, weight) of the stages between the frame's own `fetch` and `upload`."""
        whole = sum(stage.weight for stage in self.stages)
        return [
            ("fetch", 0.01 * whole),
            *((stage.name, stage.weight) for stage in self.stages),
            ("upload", 0.02 * whole),
        ]
