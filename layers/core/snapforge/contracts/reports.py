"""What workers tell through the SQS queue `reports`. Only `on_report` reads it, and fences by run and attempt."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from snapforge.contracts.base import CONTRACT, EXAMPLE_JOB, Contract


class FailureCategory(StrEnum):
    """Whose fault a failure is, and so what follows."""

    input = "input"
    """The customer's material cannot work: no retry, nothing charged."""
    insufficient_quality = "insufficient_quality"
    """Finished under the promised thresholds: nothing charged, the partial result is given."""
    transient = "transient"
    """Spot reclaim, throttling, network, full disk: a new attempt."""
    out_of_memory = "out_of_memory"
    """A new attempt with smaller settings."""
    deadline = "deadline"
    """Ran out of its time: nothing charged."""
    canceled = "canceled"
    bug = "bug"
    """Ours: nothing charged, somebody is paged."""


class _Report(Contract):
    contract: int = Field(default=CONTRACT, examples=[CONTRACT])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    run: int
    attempt: int
    batch_job_id: str = Field(examples=["876da822-4198-45f2-a252-6cea32512ea8"])
    at: AwareDatetime = Field(examples=["2026-11-21T02:20:00Z"])


class Progress(_Report):
    """The worker is alive in `stage`; sent at each stage's start and at most every 2 s within it."""

    type: Literal["progress"] = "progress"
    stage: str = Field(examples=["draw"])
    percent: float = Field(ge=0, le=100, examples=[40])
    """Of the whole job, never falling within an attempt."""
    eta_seconds: int | None = Field(default=None, examples=[12])
    message: str = Field(default="", examples=["2 of 4 pictures"])


class Done(_Report):
    """All results lie in S3; `result_uri` names result.json (a `Result`)."""

    type: Literal["done"] = "done"
    result_uri: str


class Failed(_Report):
    """The attempt ended without its result."""

    type: Literal["failed"] = "failed"
    category: FailureCategory
    code: str
    """Stable snake_case, e.g. `photos_do_not_connect`."""
    message: str
    fix: str = ""
    """What the customer can do."""
    result_uri: str | None = None
    """A partial result (`insufficient_quality`), or the receipt so far."""


Report = Annotated[Progress | Done | Failed, Field(discriminator="type")]
REPORT: TypeAdapter[Progress | Done | Failed] = TypeAdapter(Report, config=ConfigDict(defer_build=True))
