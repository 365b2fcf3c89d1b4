"""How long a training goes on: by the clock, or by steps (then it does the same on each machine)."""

import math
import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """Seconds or steps, whichever is given. The clock starts when it is made."""

    seconds: float = math.inf
    steps: int | None = None
    _began: float = field(default_factory=time.monotonic)

    def used(self, step: int) -> float:
        """The share that is used after so many steps; 1 and more ends the training."""
        by_steps = step / self.steps if self.steps else 0.0
        return max(by_steps, (time.monotonic() - self._began) / self.seconds)


def cosine(first: float, last: float, used: float) -> float:
    """A learning rate on its way from the first to the last."""
    return last + (first - last) * (1 + math.cos(math.pi * min(used, 1))) / 2
