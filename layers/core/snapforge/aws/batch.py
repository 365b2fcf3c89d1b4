"""AWS Batch: submit, look, terminate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from snapforge.aws import settings
from snapforge.aws.clients import client

if TYPE_CHECKING:
    from mypy_boto3_batch.literals import JobStatusType


@dataclass(frozen=True, slots=True)
class BatchJob:
    """What Batch says of a job. Times are epoch milliseconds or None."""

    id: str
    status: str
    """SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED or FAILED."""
    reason: str
    exit_code: int | None
    started_at: int | None
    stopped_at: int | None

    @property
    def ended(self) -> bool:
        """Whether Batch is done with it."""
        return self.status in {"SUCCEEDED", "FAILED"}


def submit(*, name: str, queue: str, definition: str, share: str, environment: dict[str, str], timeout: int) -> str:
    """Submit a job and return Batch's id. `share` is alphanumeric; `timeout` is seconds per Batch attempt (≥ 60)."""
    prefix = settings.get("BATCH_PREFIX")
    answer = client("batch").submit_job(
        jobName=name,
        jobQueue=prefix + queue,
        jobDefinition=prefix + definition,
        shareIdentifier=share,
        containerOverrides={"environment": [{"name": key, "value": value} for key, value in environment.items()]},
        timeout={"attemptDurationSeconds": max(60, timeout)},
        tags={"job": name},
        propagateTags=True,
    )
    return answer["jobId"]


def submit_worker(*, name: str, queue: str, definition: str) -> str:
    """Submit a job that is nobody's share, all as its definition says, to a queue without a policy; Batch's id."""
    prefix = settings.get("BATCH_PREFIX")
    answer = client("batch").submit_job(
        jobName=name,
        jobQueue=prefix + queue,
        jobDefinition=prefix + definition,
        tags={"job": name},
        propagateTags=True,
    )
    return answer["jobId"]


OPEN: "tuple[JobStatusType, ...]" = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")


def unfinished(queue: str) -> dict[str, str]:
    """Status by id of all jobs of a queue that have not ended. A job that was just submitted may be missing."""
    pages = client("batch").get_paginator("list_jobs")
    name = settings.get("BATCH_PREFIX") + queue
    return {
        found["jobId"]: status
        for status in OPEN
        for page in pages.paginate(jobQueue=name, jobStatus=status)
        for found in page["jobSummaryList"]
    }


def describe(job_id: str) -> BatchJob | None:
    """Batch's own truth about a job; None when it knows none (they are kept for a week)."""
    found = client("batch").describe_jobs(jobs=[job_id])["jobs"]
    return read(dict(found[0])) if found else None


def read(detail: dict[str, Any]) -> BatchJob:
    """A DescribeJobs entry, or the `detail` of a Batch Job State Change event."""
    return BatchJob(
        id=detail["jobId"],
        status=detail["status"],
        reason=detail.get("statusReason") or detail.get("container", {}).get("reason") or "",
        exit_code=detail.get("container", {}).get("exitCode"),
        started_at=detail.get("startedAt"),
        stopped_at=detail.get("stoppedAt"),
    )


def terminate(job_id: str, reason: str) -> None:
    """Stop a job in any state; one that has ended, or that Batch has forgotten, is left as it is."""
    try:
        client("batch").terminate_job(jobId=job_id, reason=reason)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ClientException":
            raise
