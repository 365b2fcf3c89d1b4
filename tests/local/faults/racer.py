"""One of many processes that want the same thing at the same moment. Standard library only: eight start at once."""

import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PROCESSES = 8
_HEAD_START = 3.0
"""Seconds until all processes stand at the line."""


class Call(NamedTuple):
    """One POST of the API."""

    path: str
    key: str
    """Idempotency-Key."""
    body: dict[str, Any] | None = None


class ProgressSnapshot(NamedTuple):
    """What was answered."""

    status: int
    body: dict[str, Any]


def race(base_url: str, token: str, calls: Sequence[Sequence[Call]]) -> list[list[ProgressSnapshot]]:
    """Each process sends its row of calls, one after the other; all begin at one moment."""
    start = time.time() + _HEAD_START
    with ProcessPoolExecutor(len(calls), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(send, base_url, token, row, start) for row in calls]
        return [one.result() for one in running]


def send(base_url: str, token: str, calls: Sequence[Call], start: float) -> list[ProgressSnapshot]:
    """The part of one process. Asked to come again later (429, 503), it does, with the same key."""
    address = urlsplit(base_url)
    time.sleep(max(0.0, start - time.time()))
    told = []
    for call in calls:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": call.key, "content-type": "application/json"}
        while True:
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            try:
                connection.request("POST", call.path, json.dumps(call.body) if call.body else None, headers)
                answer = connection.getresponse()
                body = json.loads(answer.read() or b"{}")
            finally:
                connection.close()
            if answer.status not in {429, 503}:
                break
            time.sleep(min(2.0, float(answer.headers.get("retry-after", "1"))))
        told.append(ProgressSnapshot(answer.status, body))
    return told
