"""Logs, metrics and traces, by Powertools. Org and job ids are log keys, never metric dimensions.

Tracing is Lambda's own active tracing (the X-Ray SDK's support ends in 2027); the trace id stands in every log line, so
that OpenTelemetry can follow here without touching a caller.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from snapforge.http.request import Request

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from snapforge.http.endpoint import Endpoint

NAMESPACE = "Snapforge"


@cache
def logger() -> "Logger":
    """The process's logger."""
    from aws_lambda_powertools import Logger

    return Logger(service="snapforge", use_rfc3339=True)


@cache
def metrics() -> "Metrics":
    """The process's metrics, flushed at the end of each invocation."""
    from aws_lambda_powertools import Metrics

    return Metrics(namespace=NAMESPACE, service="snapforge")


@dataclass
class Seen:
    """What is known of a request when it ends."""

    status: int = 500


@contextmanager
def request(endpoint: "Endpoint", request: Request, context: object) -> Iterator[Seen]:
    """Log one line and count latency, requests and errors of one HTTP request."""
    seen, started = Seen(), time.perf_counter()
    log = logger()
    log.append_keys(
        route=f"{endpoint.method} {endpoint.path}",
        request_id=request.event.get("requestContext", {}).get("requestId"),
        function_request_id=getattr(context, "aws_request_id", None),
    )
    try:
        yield seen
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        if request.principal is not None:
            log.append_keys(org_id=request.principal.org_id, actor=request.principal.actor)
        log.info("request", extra={"status": seen.status, "milliseconds": round(milliseconds, 2)})
        _count(endpoint.name, seen.status, milliseconds)
        log.remove_keys(["route", "request_id", "function_request_id", "org_id", "actor"])


def _count(name: str, status: int, milliseconds: float) -> None:
    numbers = metrics()
    numbers.add_dimension("function", name)
    numbers.add_metric("Latency", "Milliseconds", milliseconds)
    numbers.add_metric("Requests", "Count", 1)
    numbers.add_metric("ServerErrors", "Count", int(status >= 500))
    numbers.flush_metrics()


def consumer(handler: Callable[[dict[str, Any], Any], Any]) -> Callable[[dict[str, Any], Any], Any]:
    """A function that no HTTP client calls: streams, queues, schedules, workflow steps. Errors are logged and go on."""
    name = handler.__module__.rpartition(".")[2]

    @wraps(handler)
    def observed(event: dict[str, Any], context: Any) -> Any:
        log, started = logger(), time.perf_counter()
        log.append_keys(function=name, function_request_id=getattr(context, "aws_request_id", None))
        status = 500
        try:
            answered = handler(event, context)
            status = 200
        except Exception:
            log.exception("failed")
            raise
        else:
            return answered
        finally:
            _count(name, status, (time.perf_counter() - started) * 1000)
            log.remove_keys(["function", "function_request_id"])

    return observed


def each_message(event: dict[str, Any], handle: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Hand each SQS record to `handle`; the failed ones are returned for redelivery, the others are done."""
    failed = []
    for record in event["Records"]:
        try:
            handle(record)
        except Exception:  # noqa: BLE001 - one bad message must not hold up the others; the queue redelivers it
            logger().exception("message failed", extra={"message_id": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
