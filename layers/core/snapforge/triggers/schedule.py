"""`@schedule`: the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snapforge.triggers.base import Trigger


@dataclass(eq=False)
class Schedule(Trigger):
    """`expression`: EventBridge Scheduler's, e.g. `rate(1 minute)`."""

    expression: str

    def serve(self, event: dict[str, Any], context: Any) -> Any:
        """What the function did, for the log of whoever invokes it by hand."""
        return self.call(context=context)


def schedule(expression: str) -> Callable[[Callable[..., Any]], Schedule]:
    """Make a function one that runs by the clock. It takes nothing, or an Invocation."""
    return lambda function: Schedule(function, expression)
