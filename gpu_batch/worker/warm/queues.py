"""The images queues: receiving by priority, extending visibility, putting back, deleting."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from worker.tools import backoff

_logger = logging.getLogger(__name__)
VISIBILITY_S = 120
"""How long a message is ours after each word of ours about it; as the queues' own time-out."""
_BATCH_LIMIT = 10
_SETTLE_S = 0.05
_DELETE_TRIES = 3


@dataclass
class Message:
    """A received message. `receipt` is the newest one: a message that is delivered twice has two."""

    id: str
    body: str
    receipt: str
    queue_url: str
    priority: int
    """The queue's place in IMAGE_QUEUE_URLS; 0 is the most urgent."""


class Queues:
    """The queues in order of priority. Only `put_back`, `extend` and `delete` may be called from several threads.

    A queue out of reach counts as empty, with a line in the log: the next poll tries again.
    """

    def __init__(self, sqs: Any, urls: Sequence[str]) -> None:
        self._sqs = sqs
        self._urls = tuple(urls)
        self._pool = ThreadPoolExecutor(len(urls), "queues")
        self._polls: dict[str, Future[list[Message]]] = {}

    def take(self, max_count: int, *, urgent_last: bool = False, more_urgent_than: int | None = None) -> list[Message]:
        """Up to about `max_count` messages that wait now, the most urgent first (last, where `urgent_last`)."""
        taken = self._arrived()
        urls = self._urls[:more_urgent_than]
        for url in reversed(urls) if urgent_last else urls:
            if len(taken) < max_count and url not in self._polls:
                taken += self._receive(url, max_count - len(taken), 0)
        return taken

    def wait(self, max_count: int, seconds: int) -> list[Message]:
        """The same, waiting up to `seconds` on all queues at once for the first to have some."""
        for url in self._urls:
            if url not in self._polls:
                self._polls[url] = self._pool.submit(self._receive, url, max_count, seconds)
        while self._polls:
            wait(self._polls.values(), return_when=FIRST_COMPLETED)
            if arrived := self._arrived():
                # A more urgent queue may have answered a moment later.
                wait(self._polls.values(), timeout=_SETTLE_S)
                return arrived + self._arrived()
        return []

    def close(self) -> list[Message]:
        """Receive no more; returns what arrived meanwhile."""
        wait(self._polls.values())
        self._pool.shutdown()
        return self._arrived()

    def _arrived(self) -> list[Message]:
        done = [url for url in self._urls if url in self._polls and self._polls[url].done()]
        return [message for url in done for message in self._polls.pop(url).result()]

    def _receive(self, url: str, max_count: int, seconds: int) -> list[Message]:
        try:
            answer = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=min(max_count, _BATCH_LIMIT), WaitTimeSeconds=seconds,
                VisibilityTimeout=VISIBILITY_S,
            )  # fmt: skip
        except (BotoCoreError, ClientError) as error:
            _logger.warning("a queue could not be read", extra={"queue": url, "error": str(error)})
            return []
        priority = self._urls.index(url)
        return [
            Message(item["MessageId"], item["Body"], item["ReceiptHandle"], url, priority)
            for item in answer.get("Messages", ())
        ]

    def extend(self, messages: Iterable[Message]) -> None:
        """Keep messages invisible for another `VISIBILITY_S`."""
        self._change(messages, VISIBILITY_S)

    def put_back(self, messages: Iterable[Message], seconds: int = 0) -> None:
        """Let others have them, in `seconds`."""
        self._change(messages, seconds)

    def delete(self, message: Message) -> None:
        """Done with it. Where that fails it comes again, and whoever gets it finds how the attempt stands."""
        for left, wait_s in zip(reversed(range(_DELETE_TRIES)), backoff(0.2, 2.0), strict=False):
            try:
                self._sqs.delete_message(QueueUrl=message.queue_url, ReceiptHandle=message.receipt)
            except (BotoCoreError, ClientError) as error:
                _logger.warning("a message could not be deleted", extra={"error": str(error), "tries_left": left})
            else:
                return
            if left:
                time.sleep(wait_s)

    def _change(self, messages: Iterable[Message], seconds: int) -> None:
        for url, some in _by_queue(messages):
            entries = [
                {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
                for number, message in enumerate(some)
            ]
            try:
                answer = self._sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
            except (BotoCoreError, ClientError) as error:
                _logger.warning("visibility could not be changed", extra={"queue": url, "error": str(error)})
            else:
                for failed in answer.get("Failed", ()):
                    _logger.warning("visibility could not be changed", extra={"queue": url, "error": str(failed)})


def _by_queue(messages: Iterable[Message]) -> Iterator[tuple[str, list[Message]]]:
    """Messages by their queue, at most ten at a time: SQS's limit of a batch."""
    queues: dict[str, list[Message]] = {}
    for message in messages:
        queues.setdefault(message.queue_url, []).append(message)
    for url, some in queues.items():
        for start in range(0, len(some), _BATCH_LIMIT):
            yield url, some[start : start + _BATCH_LIMIT]
