"""What all triggers share: a function, its name, and how it is called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import ValidationError

from snapforge import observe


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is known of a call beside its payload. A handler that wants it takes a parameter of this type."""

    remaining_seconds: float
    """Until Lambda ends the function."""
    message_id: str = ""
    """Of a queue's message; the same when it is delivered again."""


@dataclass(eq=False)
class Trigger:
    """A function that no HTTP client calls; a child says what calls it, and is the Lambda handler."""

    function: Callable[..., Any]
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.function.__module__.rpartition(".")[2]

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        """Serve one event. An error is logged and raised: AWS retries, and parks what goes on failing."""
        with observe.background(self.name, context):
            return self.serve(event, context)

    def serve(self, event: dict[str, Any], context: Any) -> Any:
        """What a child does with the event."""
        raise NotImplementedError

    def call(self, *payload: Any, context: Any, message_id: str = "") -> Any:
        """The function's outcome."""
        more: dict[str, Any] = {}
        if self._invocation_parameter:
            seconds = context.get_remaining_time_in_millis() / 1000
            more[self._invocation_parameter] = Invocation(seconds, message_id)
        return self.function(*payload, **more)

    @cached_property
    def _invocation_parameter(self) -> str | None:
        hints = get_type_hints(self.function)
        return next((name for name, hint in hints.items() if hint is Invocation), None)


@dataclass(eq=False)
class MessageTrigger(Trigger):
    """What comes in SQS messages: each is handled by itself, and only the failed ones are delivered again."""

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Lambda's partial answer. A message that goes on failing ends in the queue's dead letters."""
        failed = [
            {"itemIdentifier": record["messageId"]} for record in event["Records"] if not self._handled(record, context)
        ]
        return {"batchItemFailures": failed}

    def read(self, body: str) -> Any:
        """The payload in a message. ValidationError or ValueError when it is none."""
        raise NotImplementedError

    def _handled(self, record: dict[str, Any], context: Any) -> bool:
        try:
            self.call(self.read(record["body"]), context=context, message_id=record["messageId"])
        except Exception as error:  # noqa: BLE001 - one bad message must not hold up the others
            extra = {"message_id": record["messageId"], **malformed(error)}
            observe.logger().exception("message failed", extra=extra)
            return False
        return True


def malformed(error: Exception) -> dict[str, Any]:
    """Where a payload does not fit, for the log; without its values, which may be personal or secret."""
    if not isinstance(error, ValidationError):
        return {}
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return {"malformed": [{"at": ".".join(map(str, one["loc"])), "why": one["msg"]} for one in found[:10]]}
