"""What AWS services say by EventBridge, as far as it is read here. Unknown members are left alone."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from snapforge.kit import ids

_OBJECT_CREATED: JsonDict = {
    "version": "0",
    "bucket": {"name": "snapforge-dev-uploads-000000000000"},
    "object": {
        "key": f"incoming/{ids.example('org')}/{ids.example('upload')}",
        "size": 3145728,
        "etag": "b1946ac92492d2347c6235b4d2611184",
        "sequencer": "00617F08299329D189",
    },
    "request-id": "N4N7GDK58NMKJ12R",
    "requester": "000000000000",
    "source-ip-address": "203.0.113.7",
    "reason": "PostObject",
}
"""All that S3 says, of which little is read."""
_JOB_FAILED: JsonDict = {
    "jobArn": "arn:aws:batch:eu-central-1:000000000000:job/876da822-4198-45f2-a252-6cea32512ea8",
    "jobName": f"{ids.example('job')}-1-1",
    "jobId": "876da822-4198-45f2-a252-6cea32512ea8",
    "jobQueue": "arn:aws:batch:eu-central-1:000000000000:job-queue/snapforge-dev-standard",
    "status": "FAILED",
    "statusReason": "Host EC2 (instance i-0123456789abcdef0) terminated.",
    "container": {"exitCode": 137},
}
"""The same of Batch."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class S3Object(_Wire):
    """An object. Unlike S3's own notifications, EventBridge's do not percent-encode the key."""

    key: str
    size: int


class ObjectDetail(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [_OBJECT_CREATED]})

    object: S3Object


class ObjectCreated(_Wire):
    """`Object Created` of `aws.s3`."""

    time: AwareDatetime
    detail: ObjectDetail


class BatchJobDetail(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [_JOB_FAILED]})

    job_id: str = Field(alias="jobId")
    job_name: str = Field(alias="jobName", default="")


class BatchJobStateChange(_Wire):
    """`Batch Job State Change` of `aws.batch`."""

    detail: BatchJobDetail
