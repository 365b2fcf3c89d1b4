"""Lambda's queue for asynchronous invocations, for events of EventBridge: MiniStack calls once and forgets.

An event lies on disk until its function has done it, so a killed host delivers it again at its next start. A failing
one is tried twice more and then goes to the function's failure destination.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infrastructure.local.host.functions import Function
from infrastructure.local.host.pool import Answer
from infrastructure.local.host.streams import GiveUp

Invoke = Callable[[str, bytes], Answer]
"""Function name and event."""

_PAUSES = (1.0, 2.0)
"""Seconds before the second and third try; Lambda waits one and two minutes."""


def is_event(event: object) -> bool:
    """Whether this is EventBridge's envelope."""
    return isinstance(event, dict) and {"detail-type", "detail", "source", "id"} <= event.keys()


class AsynchronousInvocations:
    """Delivers each event in a thread of its own."""

    def __init__(self, folder: Path, functions: dict[str, Function], invoke: Invoke, give_up: GiveUp) -> None:
        self._folder = folder
        self._functions = functions
        self._invoke = invoke
        self._give_up = give_up
        folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> None:
        """Deliver what an earlier host did not finish."""
        for file in sorted(self._folder.glob("*.json")):
            left = json.loads(file.read_text())
            self._start(file, left["function"], left["event"])

    def accept(self, function: str, event: dict[str, Any]) -> None:
        """Take an event over; it is safe once this returns."""
        file = self._folder / f"{time.time_ns()}-{uuid.uuid4().hex}.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"function": function, "event": event}))
        part.replace(file)
        self._start(file, function, event)

    def _start(self, file: Path, function: str, event: dict[str, Any]) -> None:
        threading.Thread(target=self._deliver, args=(file, function, event), daemon=True).start()

    def _deliver(self, file: Path, function: str, event: dict[str, Any]) -> None:
        if function not in self._functions:
            file.unlink()
            return
        body = json.dumps(event).encode()
        answer = self._invoke(function, body)
        for pause in _PAUSES:
            if answer.ok:
                break
            time.sleep(pause)
            answer = self._invoke(function, body)
        destination = self._functions[function].on_failure
        if not answer.ok and destination is not None:
            self._give_up(destination, _record(self._functions[function], event, answer))
        file.unlink(missing_ok=True)


def _record(function: Function, event: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """The destination record of a failed asynchronous invocation."""
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "requestContext": {
            "functionArn": function.arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": len(_PAUSES) + 1,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": json.loads(answer.body),
    }
