"""What the job definition sets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from worker.errors import BugError


@dataclass(frozen=True)
class Settings:
    """How a warm worker works."""

    queue_urls: tuple[str, ...]
    """In order of priority, the most urgent first."""
    idle_s: float
    """It leaves after so many seconds without work."""
    micro_batch: int
    """Most pictures at once."""
    batch_job_id: str
    batch_attempt: str

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """From IMAGE_QUEUE_URLS, IDLE_SECONDS, MICRO_BATCH and what Batch sets. Raises BugError with what is wrong."""
        urls = tuple(filter(None, (url.strip() for url in environment.get("IMAGE_QUEUE_URLS", "").split(","))))
        batch_job_id = environment.get("AWS_BATCH_JOB_ID", "")
        try:
            idle_s, micro_batch = (
                float(environment.get("IDLE_SECONDS", "300")),
                int(environment.get("MICRO_BATCH", "4")),
            )
        except ValueError as error:
            raise BugError("not_configured", f"IDLE_SECONDS and MICRO_BATCH must be numbers: {error}") from error
        if not urls or not batch_job_id or idle_s < 0 or micro_batch < 1:
            raise BugError(
                "not_configured",
                "IMAGE_QUEUE_URLS (comma separated, rush first) and AWS_BATCH_JOB_ID must be set, IDLE_SECONDS at "
                "least 0, MICRO_BATCH at least 1.",
            )
        return cls(urls, idle_s, micro_batch, batch_job_id, environment.get("AWS_BATCH_JOB_ATTEMPT", "1"))
