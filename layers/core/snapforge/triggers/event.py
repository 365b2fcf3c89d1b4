"""`@event` and `@aws_event`: EventBridge, straight to the function or through a queue that keeps what fails."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from snapforge.kit.events import Event
from snapforge.triggers.base import MessageTrigger

OURS = "snapforge"


@dataclass(eq=False)
class BusEvent(MessageTrigger):
    """Events by their `source` and `detail-type`; `queue` stands between rule and function where one is named."""

    source: str
    types: tuple[str, ...]
    schema: Any
    queue: str | None = None

    def serve(self, event: dict[str, Any], context: Any) -> Any:
        """A queue's messages one by one; an event that comes straight is retried by Lambda, then parked."""
        if self.queue is not None:
            return super().serve(event, context)
        return self.call(self._read(event), context=context)

    def read(self, body: str) -> Any:
        """The event in a message."""
        return self._read(_ENVELOPE.validate_json(body))

    def _read(self, envelope: dict[str, Any]) -> Any:
        if envelope.get("detail-type") not in self.types:
            raise ValueError(f"{self.name} does not handle {envelope.get('detail-type')!r}: its rule passes too much")
        return self._adapter.validate_python(envelope["detail"] if self.source == OURS else envelope)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.schema)


_ENVELOPE: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def event(*types: str, queue: str | None = None) -> Callable[[Callable[..., Any]], BusEvent]:
    """Make a function the handler of events of the house (`job.succeeded`): it takes an Event, once or more."""
    return lambda function: BusEvent(function, OURS, types, Event, queue)


def aws_event(
    source: str, detail_type: str, schema: Any, *, queue: str | None = None
) -> Callable[[Callable[..., Any]], BusEvent]:
    """Make a function the handler of events of AWS itself; `schema` (of `aws.events`) is of the whole envelope."""
    return lambda function: BusEvent(function, source, (detail_type,), schema, queue)
