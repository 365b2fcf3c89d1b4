"""HTTP calls that end: a deadline for the whole of a call, a limit to what is read, no redirects, few retries.

httpx's time-outs are between two bytes; a server that sends a byte a second would hold a call for hours. So each call
is a coroutine under one time-out, from the look-up of the name to the last byte.
"""

import asyncio
import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from snapforge.kit import clock
from snapforge.providers import base

TRIES = 3
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 20.0
"""A provider that asks for a longer wait is left; the next attempt goes elsewhere."""
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 40 * 1024 * 1024
"""A 2048² PNG of noise is 12 MiB, a third more as base64."""

_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_AGAIN_AT_ONCE = frozenset({429, 503, 529})
"""Nothing was begun, so asking again costs nothing. After a 500 nobody knows."""
_POLICY = ("nsfw", "content policy", "content_policy", "safety", "moderat", "flagged", "prohibited", "sensitive")
"""How providers name their content policies in errors."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    media_type: str
    """Without parameters, lower case."""
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON; ValueError where it is none."""
        return json.loads(self.body)

    def text(self, max_bytes: int = 400) -> str:
        """The beginning of the body, for a log."""
        return self.body[:max_bytes].decode("utf-8", "replace")


def ask(
    name: str,
    method: str,
    url: str,
    *,
    until: float,
    key: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 120.0,
    limit: int = ANSWER_BYTES,
    unwanted: threading.Event | None = None,
) -> Answer:
    """Call `name` and return a 2xx answer. A call takes at most `seconds`, all tries together end by `until`.

    What was surely not begun (busy, no connection) is asked again, after the wait that the answer asks for, unless
    `unwanted` is set by then. Raises ProviderError for every other outcome, classified.
    """
    given_up = unwanted or threading.Event()
    sent = {"authorization": f"Bearer {key}"} if key else {}
    for attempt in range(TRIES):
        left = min(seconds, until - time.monotonic())
        if left <= 0:
            raise base.unavailable(name, "no time was left")
        try:
            return _once(name, left, method, url, {**sent, **(headers or {})}, body, limit)
        except _NotBegunError as error:
            wait = error.failure.retry_after if error.failure.retry_after is not None else _wait(attempt)
            if attempt == TRIES - 1 or wait > LONGEST_WAIT_SECONDS or time.monotonic() + wait >= until:
                raise error.failure from None
        if given_up.wait(wait):
            raise base.nobody_wants(charged=False)
    raise AssertionError("the last try raises")


def _once(
    name: str, seconds: float, method: str, url: str, headers: Mapping[str, str], body: Any, limit: int
) -> Answer:
    """One try. Raises ProviderError, or _NotBegunError around one where asking again costs nothing."""
    try:
        answer = asyncio.run(_within(seconds, method, url, headers, body, limit))
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _NotBegunError(base.unavailable(name, repr(error))) from error
    except TimeoutError:
        raise base.timed_out(name, f"no whole answer within {seconds:.0f} s") from None
    except _TooLargeError:
        raise base.wrong_answer(name, f"more than {limit} bytes") from None
    except httpx.HTTPError as error:
        raise base.unavailable(name, repr(error), charged=True) from error
    if 200 <= answer.status < 300:
        return answer
    failure = classify(name, answer)
    if answer.status in _AGAIN_AT_ONCE:
        raise _NotBegunError(failure)
    raise failure


def classify(name: str, answer: Answer) -> base.ProviderError:
    """What a status that is no 2xx means."""
    said = f"{answer.status}: {answer.text()}"
    if answer.status in _BUSY or answer.status >= 500:
        return base.unavailable(name, said, retry_after=_retry_after(answer), charged=answer.status in {500, 502, 504})
    if is_policy(answer.text(4000)) and answer.status in {400, 403, 422, 451}:
        return base.prompt_refused(name, said)
    return base.misconfigured(name, said)


def is_policy(text: str) -> bool:
    """Whether a provider's words speak of its content policy."""
    lower = text.lower()
    return any(word in lower for word in _POLICY)


class _NotBegunError(Exception):
    """Nothing was begun: the same may be asked again."""

    def __init__(self, failure: base.ProviderError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _TooLargeError(Exception):
    """The answer is longer than anything that is right."""


async def _within(seconds: float, method: str, url: str, headers: Mapping[str, str], body: Any, limit: int) -> Answer:
    async with (
        asyncio.timeout(seconds),
        # Identity: a compressed answer could be small on the wire and huge here.
        httpx.AsyncClient(
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS), follow_redirects=False, trust_env=False
        ) as client,
        client.stream(
            method, url, json=body, headers={"accept-encoding": "identity", "user-agent": "snapforge", **headers}
        ) as response,
    ):
        if int(response.headers.get("content-length") or 0) > limit:
            raise _TooLargeError
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > limit:
                raise _TooLargeError
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(response.status_code, media_type, bytes(content), response.headers)


def _wait(attempt: int) -> float:
    return float(FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.0))


def _retry_after(answer: Answer) -> float | None:
    """Seconds, from either of the header's forms (RFC 9110); None where it says nothing that can be read."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - clock.now()).total_seconds())
    except (TypeError, ValueError):
        return None
