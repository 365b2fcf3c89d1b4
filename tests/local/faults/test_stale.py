"""An attempt that was given up speaks again after its successor has begun."""

import json
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from infrastructure.local.paths import ACCOUNT
from infrastructure.local.region import Region
from tests.local.faults.scenario import LONG, Scenario
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "BIL-1")


def report(attempt: dict[str, Any], **more: object) -> str:
    """A report in the name of an attempt's worker."""
    said = {
        "contract": 1,
        "job_id": attempt["job_id"],
        "run": int(attempt["run"]),
        "attempt": int(attempt["attempt"]),
        "batch_job_id": attempt["owner"],
        "at": datetime.now(UTC).isoformat(),
    }
    return json.dumps(said | more)


def test_a_stale_attempt_that_reports_and_settles_after_its_successor_changes_nothing(
    region: Region, scenario: Scenario
) -> None:
    """Its machine froze, was given up, thawed: then it says all that a worker can say, and its workflow settles."""
    job_id = scenario.order(LONG)
    scenario.when(job_id, "draw")
    scenario.signal_worker(job_id, signal.SIGSTOP)
    first = scenario.attempt_rows(job_id)[0]
    scenario.tell("reports", report(first, type="failed", category="transient", code="reclaimed", message="…"))
    until(lambda: len(scenario.attempt_rows(job_id)) == 2, seconds=60)
    for process in scenario.workers(job_id):
        process.resume()

    uri = f"s3://snapforge-dev-assets-{ACCOUNT}/runs/{job_id}/1/1/result.json"
    scenario.tell(
        "reports",
        report(first, type="progress", stage="upload", percent=99.0),
        report(first, type="done", result_uri=uri),
        report(first, type="failed", category="bug", code="stale", message="…"),
    )
    call = {"org_id": scenario.customer.org_id, "job_id": job_id, "run": 1, "attempt": 1}
    done, failed = {"outcome": "done", "result_uri": uri}, {"outcome": "failed", "failure": _bug()}
    assert region.invoke("settle-job", call | {"outcome": done})["state"] in {"queued", "running"}
    assert region.invoke("settle-job", call | {"outcome": failed})["state"] in {"queued", "running"}
    assert region.invoke("classify-failure", call | {"outcome": failed})["next"] == "retry"

    job = scenario.settled(job_id, "succeeded")

    assert job["attempt"] == 2
    assert len(scenario.attempt_rows(job_id)) == 2
    scenario.balanced(job)


def _bug() -> dict[str, str]:
    return {"category": "bug", "code": "stale", "message": "…"}
