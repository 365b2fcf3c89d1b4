"""`@step`: a state of the workflow."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, TypeAdapter

from snapforge.triggers.base import Trigger


@dataclass(eq=False)
class Invoked(Trigger):
    """Called with a payload, answered with a value: `payload` and `answer` are pydantic models (None: no answer)."""

    payload: type[BaseModel]
    answer: type[BaseModel] | None

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any] | None:
        """The answer as JSON. ValidationError for a payload that does not fit, TypeError for another answer."""
        given = self.call(self._adapter.validate_python(event), context=context)
        if self.answer is None:
            return None
        if not isinstance(given, self.answer):
            raise TypeError(f"{self.name} answers {self.answer.__name__}, not {type(given).__name__}")
        return given.model_dump(mode="json")

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.payload)


@dataclass(eq=False)
class Step(Invoked):
    """A state of a state machine."""


def step(payload: type[BaseModel], answer: type[BaseModel] | None = None) -> Callable[[Callable[..., Any]], Step]:
    """Make a function a state of the workflow. It may run twice, and late; what it raises is retried."""
    return lambda function: Step(function, payload, answer)
