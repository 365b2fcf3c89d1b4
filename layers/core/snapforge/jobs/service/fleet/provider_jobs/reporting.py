"""What is told of an attempt, to the manifest's reports queue."""

from typing import Any

from snapforge.aws import sqs
from snapforge.contracts.manifest import Manifest
from snapforge.contracts.reports import Done, Failed, Progress
from snapforge.contracts.tickets import RESULT
from snapforge.kit import clock
from snapforge.providers.base import ProviderError


class Teller:
    """Speaks for the owner of an attempt."""

    def __init__(self, manifest: Manifest, owner: str) -> None:
        self.manifest = manifest
        self._owner = owner

    def progress(self, there: int) -> None:
        """So many pictures are there."""
        count = getattr(self.manifest.work, "count", 1)
        self._tell(
            Progress(**self._common(), stage="draw", percent=95 * there / count, message=f"{there} of {count} pictures")
        )

    def done(self) -> None:
        """The result lies there."""
        self._tell(Done(**self._common(), result_uri=self.manifest.output_uri + RESULT))

    def failed(self, error: ProviderError, result_uri: str) -> None:
        """It ended without all pictures; what it cost stands in the result at `result_uri`."""
        self._tell(
            Failed(
                **self._common(),
                category=error.category,
                code=error.code,
                message=str(error),
                fix=error.fix,
                result_uri=result_uri,
            )
        )

    def _common(self) -> dict[str, Any]:
        return {
            "job_id": self.manifest.job_id,
            "run": self.manifest.run,
            "attempt": self.manifest.attempt,
            "batch_job_id": self._owner,
            "at": clock.now(),
        }

    def _tell(self, report: Progress | Done | Failed) -> None:
        sqs.send_to(self.manifest.reports_queue_url, report.model_dump_json())
