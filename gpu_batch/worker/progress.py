"""How far the job is, and reporting it to the control plane through the queue `reports`."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from snapforge.contracts.manifest import Manifest
from snapforge.contracts.reports import Done, Failed, Progress
from worker.errors import WorkerError
from worker.storage import client
from worker.tools import backoff

_logger = logging.getLogger(__name__)
_INTERVAL_S = 2.0
_FIRST_ETA_S = 2.0
_MAX_MESSAGE_LENGTH = 2000
_MAX_PERCENT = 99.0
"""100 is said by Done alone."""


class Track:
    """Percent of the whole job over weighted stages, never falling, and the seconds left at the pace of this entry."""

    def __init__(self, stages: Sequence[tuple[str, float]], floor: float = 0.0) -> None:
        whole = sum(weight for _, weight in stages) or 1.0
        self._spans: dict[str, tuple[float, float]] = {}
        begin = 0.0
        for name, weight in stages:
            width = weight / whole * _MAX_PERCENT
            self._spans[name] = (begin, width)
            begin += width
        self._worked_from = (time.monotonic(), 0.0)
        self.percent = floor

    def skip(self, stage: str) -> None:
        """Count a stage that an earlier entry finished: it says nothing about this entry's pace."""
        begin, width = self._spans[stage]
        self._advance(begin + width)
        self._worked_from = (time.monotonic(), begin + width)

    def at(self, stage: str, fraction: float) -> tuple[float, int | None]:
        """(percent, seconds left or None) when `stage` is `fraction` (0 to 1) done."""
        begin, width = self._spans[stage]
        # Written so that a NaN counts as 0.
        inside = min(fraction, 1.0) if fraction > 0 else 0.0
        position = begin + width * inside
        self._advance(position)
        since, origin = self._worked_from
        seconds, gained = time.monotonic() - since, position - origin
        if seconds < _FIRST_ETA_S or gained < 1.0:
            return self.percent, None
        return self.percent, round(seconds / gained * (100.0 - position))

    def _advance(self, position: float) -> None:
        self.percent = round(max(self.percent, position), 1)


@dataclass(frozen=True)
class Sender:
    """What every report says about who reports."""

    job_id: str
    run: int
    attempt: int
    batch_job_id: str

    @classmethod
    def of(cls, manifest: Manifest, batch_job_id: str) -> "Sender":
        """The sender that works on `manifest`."""
        return cls(manifest.job_id, manifest.run, manifest.attempt, batch_job_id)

    def fields(self) -> dict[str, Any]:
        """The common fields of a report, stamped now."""
        return {**vars(self), "at": datetime.now(UTC)}


def reports_client() -> Any:
    """The SQS client of reports: quick to give up, because `Reporter` tries again by itself."""
    return client("sqs", retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)


class Reporter:
    """Sends reports. Progress goes from a thread of its own and may be lost; the final report is insisted on."""

    def __init__(self, queue_url: str, sender: Sender, sqs: Any = None) -> None:
        """`sqs` is a client of `reports_client`, where many reporters share one."""
        sqs = sqs or reports_client()
        self._put: Callable[[str], object] = lambda body: sqs.send_message(QueueUrl=queue_url, MessageBody=body)
        self._sender = sender
        self._waiting: deque[Progress] = deque(maxlen=64)
        self._wake = threading.Condition()
        self._closed = False
        self._last = 0.0
        self._thread = threading.Thread(target=self._send_progress, name="reports", daemon=True)
        self._thread.start()

    def progress(self, stage: str, percent: float, eta: int | None, message: str = "", *, start: bool = False) -> None:
        """Queue a progress report. Within a stage all but one in two seconds are dropped."""
        now = time.monotonic()
        if not start and now - self._last < _INTERVAL_S:
            return
        self._last = now
        report = Progress(**self._sender.fields(), stage=stage, percent=percent, eta_seconds=eta, message=message)
        with self._wake:
            if not self._closed:
                self._waiting.append(report)
                self._wake.notify()

    def done(self, result_uri: str, timeout_s: float) -> bool:
        """Report Done, trying for up to `timeout_s` seconds. False where the queue could not be reached."""
        return self._finish(Done(**self._sender.fields(), result_uri=result_uri), timeout_s)

    def failed(self, error: WorkerError, result_uri: str | None, timeout_s: float) -> bool:
        """Report Failed, as `done` does."""
        report = Failed(
            **self._sender.fields(),
            category=error.category,
            code=error.code,
            message=error.message[:_MAX_MESSAGE_LENGTH],
            fix=error.fix,
            result_uri=result_uri,
        )
        return self._finish(report, timeout_s)

    def close(self) -> bool:
        """Report no more progress. False where that was so already."""
        with self._wake:
            if self._closed:
                return False
            self._closed = True
            self._wake.notify()
        # Whatever progress is under way is sent or given up first: nothing may follow the final report.
        self._thread.join()
        return True

    def _finish(self, report: Done | Failed, timeout_s: float) -> bool:
        if not self.close():
            return False
        body = report.model_dump_json()
        end = time.monotonic() + timeout_s
        for wait in backoff(0.5, 15.0):
            if self._tried(body):
                return True
            if time.monotonic() + wait > end:
                return False
            time.sleep(wait)
        raise AssertionError

    def _send_progress(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                report = self._waiting.popleft()
            if not self._tried(report.model_dump_json()) and self._closed:
                return

    def _tried(self, body: str) -> bool:
        try:
            self._put(body)
        except (BotoCoreError, ClientError) as error:
            _logger.warning("a report could not be sent", extra={"error": str(error)})
            return False
        return True
