"""What AWS services say by EventBridge, as far as it is read here. Unknown members are left alone."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class S3Object(_Wire):
    """An object. Unlike S3's own notifications, EventBridge's do not percent-encode the key."""

    key: str
    size: int


class ObjectDetail(_Wire):
    object: S3Object


class ObjectCreated(_Wire):
    """`Object Created` of `aws.s3`."""

    time: AwareDatetime
    detail: ObjectDetail


class BatchJobDetail(_Wire):
    job_id: str = Field(alias="jobId")
    job_name: str = Field(alias="jobName", default="")


class BatchJobStateChange(_Wire):
    """`Batch Job State Change` of `aws.batch`."""

    detail: BatchJobDetail
