"""Small things that every module of the worker uses: JSON log lines, digests, waiting times."""

import hashlib
import json
import logging
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_MIB = 1 << 20
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({})))


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, what `extra=` gave, and the traceback of an exception."""

    def __init__(self, **always: str) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._always,
            **{key: value for key, value in vars(record).items() if key not in _OWN_FIELDS and key != "message"},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_json(**always: str) -> None:
    """Send all log records to stdout as JSON lines, each with the fields in `always` (job, attempt…)."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(**always))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def sha256(path: Path) -> str:
    """Lower-case hex SHA-256 of a file, read a mebibyte at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_MIB):
            digest.update(block)
    return digest.hexdigest()


def backoff(first: float, maximum: float) -> Iterator[float]:
    """Seconds to wait before each next try: doubling from `first` to `maximum`, with up to half taken off at random."""
    step = first
    while True:
        yield step * random.uniform(0.5, 1.0)
        step = min(step * 2, maximum)
