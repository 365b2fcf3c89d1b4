"""What Lambda's event source mappings do for DynamoDB streams, and MiniStack leaves out.

MiniStack knows two answers for a stream batch: success (it moves on, whatever `batchItemFailures` says) and error (it
sends the same batch again every second, without end). So this side keeps the shard's checkpoint within a batch, counts
the tries, bisects, and gives up to the failure queue. A lost memory (the host was killed) only means more repeats.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infrastructure.local.host.functions import Function, StreamSource
from infrastructure.local.host.pool import Answer

Invoke = Callable[[bytes], Answer]
GiveUp = Callable[[str, dict[str, Any]], None]
"""Takes the ARN of the failure queue and the record of what was given up."""


@dataclass(frozen=True)
class _Progress:
    """How far one batch has come: records below `done` are finished; `size` records are tried at once."""

    done: int
    size: int
    tries: int


class StreamDelivery:
    """Delivers the batches of one function's streams in order, one call of MiniStack at a time."""

    def __init__(self, function: Function, give_up: GiveUp) -> None:
        self._sources = {source.table: source for source in function.streams}
        self._function = function
        self._give_up = give_up
        self._progress: dict[tuple[str, str], _Progress] = {}
        self._lock = threading.Lock()

    def deliver(self, event: dict[str, Any], invoke: Invoke) -> Answer:
        """Try the batch from where it stands. An error answer makes MiniStack bring it again."""
        records = event["Records"]
        table = _table(records[0])
        source = self._sources.get(table)
        if source is None:
            return invoke(json.dumps(event).encode())
        key = (table, records[0]["dynamodb"]["SequenceNumber"])
        with self._lock:
            return self._deliver(source, key, records, invoke)

    def _deliver(
        self, source: StreamSource, key: tuple[str, str], records: list[dict[str, Any]], invoke: Invoke
    ) -> Answer:
        at = self._progress.get(key, _Progress(0, len(records), 0))
        # MiniStack waits for the function's Timeout: what is left by then goes on with its next delivery.
        until = time.monotonic() + self._function.timeout * 0.7
        while at.done < len(records):
            part = records[at.done : at.done + at.size]
            answer = invoke(json.dumps({"Records": part}).encode())
            passed = _passed(answer, part, source)
            if passed == len(part):
                at = _Progress(at.done + passed, len(records), 0)
            else:
                at = self._after_failure(source, at, part, passed, answer)
            if at.tries or (at.done < len(records) and time.monotonic() > until):
                self._progress[key] = at
                return answer if not answer.ok else _unfinished(records[at.done])
        self._progress.pop(key, None)
        return Answer(True, b"{}")

    def _after_failure(
        self, source: StreamSource, at: _Progress, part: list[dict[str, Any]], passed: int, answer: Answer
    ) -> _Progress:
        done, left = at.done + passed, part[passed:]
        tries = at.tries + 1 if not passed else 1
        if source.bisect and len(left) > 1:
            return _Progress(done, len(left) // 2, 0)
        if source.max_attempts is None or tries < source.max_attempts:
            return _Progress(done, len(left), tries)
        if source.on_failure is not None:
            self._give_up(source.on_failure, _record(self._function, left, answer))
        return _Progress(done + len(left), at.size, 0)


def is_stream(event: object) -> bool:
    """Whether the event is a batch of a DynamoDB stream."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and bool(records) and records[0].get("eventSource") == "aws:dynamodb"


def _table(record: dict[str, Any]) -> str:
    return str(record["eventSourceARN"]).split(":table/")[1].split("/")[0]


def _passed(answer: Answer, part: list[dict[str, Any]], source: StreamSource) -> int:
    """How many leading records of the part are done."""
    if not answer.ok:
        return 0
    result = json.loads(answer.body)
    failures = result.get("batchItemFailures") if isinstance(result, dict) and source.partial_failures else None
    if not failures:
        return len(part)
    failed = {failure.get("itemIdentifier") for failure in failures}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in part]
    # An unknown identifier fails the whole batch, as on AWS.
    return min((numbers.index(f) for f in failed if f in numbers), default=0) if failed <= set(numbers) else 0


def _unfinished(record: dict[str, Any]) -> Answer:
    message = f"not done from sequence number {record['dynamodb']['SequenceNumber']} on"
    return Answer(False, json.dumps({"errorType": "BatchItemFailures", "errorMessage": message}).encode())


def _record(function: Function, part: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
    """The destination record that Lambda sends for a given-up stream batch."""
    first, last = part[0], part[-1]
    return {
        "requestContext": {"functionArn": function.arn, "condition": "RetryAttemptsExhausted"},
        "responseContext": {"statusCode": 200, "functionError": None if answer.ok else "Unhandled"},
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000000000000000000-00000000",
            "startSequenceNumber": first["dynamodb"]["SequenceNumber"],
            "endSequenceNumber": last["dynamodb"]["SequenceNumber"],
            "batchSize": len(part),
            "streamArn": first["eventSourceARN"],
        },
    }
