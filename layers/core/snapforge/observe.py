"""Logs, metrics and traces, by Powertools. Org and job ids are log keys, never metric dimensions.

Below the contexts, so that they log here too: a logger of `logging` loses its INFO lines on Lambda. Tracing is Lambda's
own active tracing (the X-Ray SDK's support ends in 2027); the trace id stands in every log line, so that OpenTelemetry
can follow here without touching a caller.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from snapforge.kit.permissions import Principal

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
class HttpExchange:
    """What is known of a request when it ends."""

    status: int = 500
    principal: "Principal | None" = None


@contextmanager
def http_request(name: str, context: object, *, route: str, request_id: str | None) -> Iterator[HttpExchange]:
    """Log one line and count latency, requests and errors of one HTTP request that the function `name` serves."""
    seen = HttpExchange()
    with _invocation(name, context, route=route, request_id=request_id) as started:
        try:
            yield seen
        finally:
            log = logger()
            milliseconds = (time.perf_counter() - started) * 1000
            if seen.principal is not None:
                log.append_keys(org_id=seen.principal.org_id, actor=seen.principal.actor)
            log.info("request", extra={"status": seen.status, "milliseconds": round(milliseconds, 2)})
            log.remove_keys(["org_id", "actor"])
            _count(name, milliseconds, failed=seen.status >= 500)


@contextmanager
def background(name: str, context: object) -> Iterator[None]:
    """Count one invocation that no HTTP client waits for. Errors are logged and go on: the trigger retries or parks."""
    failed = True
    with _invocation(name, context) as started:
        try:
            yield
            failed = False
        except Exception:
            logger().exception("failed")
            raise
        finally:
            _count(name, (time.perf_counter() - started) * 1000, failed=failed)


@contextmanager
def _invocation(name: str, context: object, **keys: Any) -> Iterator[float]:
    """Every line that is logged inside names the function and its request; yields when it began (perf_counter)."""
    log = logger()
    keys = {"function": name, "function_request_id": getattr(context, "aws_request_id", None), **keys}
    log.append_keys(**keys)
    try:
        yield time.perf_counter()
    finally:
        log.remove_keys(list(keys))


def _count(name: str, milliseconds: float, *, failed: bool) -> None:
    numbers = metrics()
    numbers.add_dimension("function", name)
    numbers.add_metric("Latency", "Milliseconds", milliseconds)
    numbers.add_metric("Requests", "Count", 1)
    numbers.add_metric("ServerErrors", "Count", int(failed))
    numbers.flush_metrics()
