"""`@queue`: messages of an SQS queue of the house."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from snapforge.triggers.base import MessageTrigger


@dataclass(eq=False)
class Queue(MessageTrigger):
    """`queue`: its name after `snapforge-<stage>-`; `schema`: of a message's body."""

    queue: str
    schema: Any

    def read(self, body: str) -> Any:
        """The body, by its schema."""
        return self._adapter.validate_json(body)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.schema)


def queue(name: str, schema: Any) -> Callable[[Callable[..., Any]], Queue]:
    """Make a function the handler of a queue's messages: it takes one, once or more, and an Invocation if it wants.

    A body that does not fit the schema is delivered again as any failed message is, and ends in the dead letters.
    """
    return lambda function: Queue(function, name, schema)
