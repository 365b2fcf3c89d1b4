"""Every delivery is at least once: each one comes twice here, early and late, and counts once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from infrastructure.local.batch import events as batch_events
from infrastructure.local.paths import ACCOUNT, REGION
from infrastructure.local.region import Region
from tests.local.faults.scenario import LONG, Scenario
from tests.local.faults.test_stale import report
from tests.support.region import until

ASSETS = f"snapforge-dev-assets-{ACCOUNT}"
UPLOADS = f"snapforge-dev-uploads-{ACCOUNT}"


def drained(region: Region, *queues: str) -> Callable[[], bool]:
    """Whether nothing waits or is being worked on in these queues, beyond what is so now: a message that was in a
    killed host's hands stays invisible for minutes.
    """
    sqs = region.client("sqs")

    def left(name: str) -> dict[str, int]:
        urls = {queue: f"{region.emulator_url}/{ACCOUNT}/snapforge-dev-{queue}" for queue in queues}
        found = {q: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]) for q, url in urls.items()}
        return {queue: int(answer["Attributes"][name]) for queue, answer in found.items()}

    before = left("ApproximateNumberOfMessagesNotVisible")

    def look() -> bool:
        waiting = [left("ApproximateNumberOfMessages"), left("ApproximateNumberOfMessagesDelayed")]
        working = left("ApproximateNumberOfMessagesNotVisible")
        return not any(count for found in waiting for count in found.values()) and all(
            working[queue] <= before[queue] for queue in queues
        )

    return look


@pytest.mark.usefixtures("prompt_batch_news")
@pytest.mark.part("JOB-4", "BIL-1", "NTF-1")
def test_a_job_whose_every_event_and_step_comes_twice(region: Region, scenario: Scenario) -> None:
    """Starts, steps, tickets, reports, state changes and news: one execution, one worker, one capture, one mail."""
    all_done = drained(region, "reports", "batch-states", "images-dead", "mail", "variants")
    job_id = scenario.order(LONG)
    scenario.when(job_id, "draw")
    run = {"org_id": scenario.customer.org_id, "job_id": job_id, "run": 1}
    (attempt,) = scenario.attempt_rows(job_id)
    region.invoke("check-job", run)
    region.invoke("dispatch-job", run | {"attempt": 1, "task_token": attempt["task_token"]})
    assert "job.submitted" in scenario.publish_again("jobs")
    progress = report(attempt, type="progress", stage="load", percent=1.0)
    scenario.tell("reports", progress, progress)
    ticket = {"manifest_uri": f"s3://{ASSETS}/runs/{job_id}/1/1/manifest.json", "group": "any", "pictures": 6}
    double = json.dumps(ticket | {"contract": 1, "job_id": job_id, "run": 1, "attempt": 1})
    scenario.tell("images-standard", double)
    scenario.tell("images-bulk", double)

    job = scenario.settled(job_id, "succeeded")

    (attempt,) = scenario.attempt_rows(job_id)
    uri = f"s3://{ASSETS}/runs/{job_id}/1/1/result.json"
    outcome = {"outcome": "done", "result_uri": uri}
    done = report(attempt, type="done", result_uri=uri)
    scenario.tell("reports", done, done, progress)
    (batch_id,) = scenario.batch_ids(job_id)
    (described,) = region.client("batch").describe_jobs(jobs=[batch_id])["jobs"]
    scenario.tell("batch-states", *[json.dumps(batch_events.event(described))] * 2)
    for _ in range(2):
        region.invoke("dispatch-job", run | {"attempt": 1, "task_token": attempt["task_token"]})
        assert region.invoke("check-job", run)["next"] == "end"
        assert region.invoke("settle-job", run | {"attempt": 1, "outcome": outcome})["state"] == "succeeded"
        assert region.invoke("classify-failure", run | {"attempt": 1, "outcome": outcome})["next"] == "end"
        assert "job.succeeded" in scenario.publish_again("jobs")
    assert "user.signed_up" in scenario.publish_again("identity")
    scenario.publish_again("assets")
    scenario.publish_again("billing")
    scenario.tell("images-standard", double)
    scenario.tell("images-dead", double)
    until(lambda: scenario.mails("pictures are ready"), seconds=60)
    until(all_done, seconds=60)
    until(lambda: scenario.tickets() == 0, seconds=120)

    after = scenario.job(job_id)
    assert {name: after[name] for name in ("state", "price", "receipt", "attempt")} == {
        name: job[name] for name in ("state", "price", "receipt", "attempt")
    }
    assert len(scenario.batch_ids(job_id)) == 1
    assert len(scenario.mails("pictures are ready")) == 1
    assert len(scenario.api.call("list_assets").json["items"]) == len(job["results"]["files"])
    scenario.whole(after)
    scenario.balanced(after)


@pytest.mark.part("AST-1", "AST-2")
def test_an_upload_whose_arrival_is_told_twice_is_checked_once(
    region: Region, scenario: Scenario, tmp_path: Path
) -> None:
    """S3 says `Object Created` again while the file is checked and after: one photo of one capture."""
    all_done = drained(region, "uploaded", "variants")
    photo = tmp_path / "photo.jpg"
    body = BytesIO()
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(body, "JPEG")
    photo.write_bytes(body.getvalue())
    capture_id = scenario.api.call("create_capture", body={"name": "twice"}).json["id"]
    (upload_id,) = scenario.api.upload([photo], capture_id=capture_id)
    arrived = _object_created(f"incoming/{scenario.customer.org_id}/{upload_id}", len(body.getvalue()))
    scenario.tell("uploaded", arrived, arrived)

    capture = scenario.api.wait_for_capture(capture_id)
    upload = scenario.api.get("get_upload", upload_id=upload_id)
    scenario.tell("uploaded", arrived, arrived)
    scenario.publish_again("assets")
    until(all_done, seconds=60)

    assert scenario.api.get("get_upload", upload_id=upload_id)["state"] == upload["state"]
    again = scenario.api.get("get_capture", capture_id=capture_id)
    assert again["counts"] == capture["counts"]
    assert again["counts"]["expected"] == again["counts"]["checked"] == 1
    incoming = region.client("s3").list_objects_v2(Bucket=UPLOADS, Prefix=f"incoming/{scenario.customer.org_id}/")
    assert incoming["KeyCount"] == 0
    assert scenario.faults() == []


def _object_created(key: str, size: int) -> str:
    detail: dict[str, Any] = {"bucket": {"name": UPLOADS}, "object": {"key": key, "size": size, "sequencer": "1"}}
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": ACCOUNT,
            "region": REGION,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": detail,
        }
    )
