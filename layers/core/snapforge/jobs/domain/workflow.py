"""What `render.asl.yaml` and its step functions say to each other. Small: references and decisions, no prices.

    execution `<job>-<run>` (a recovered one `<job>-<run>-<n>`), input RunRef {org_id, job_id, run}
      CheckJob     in  RunRef                                   out CheckAnswer: next = dispatch | settle | end
      DispatchJob  in  RunRef + attempt, task_token             answered by SendTaskSuccess with an Outcome
                   (lambda:invoke.waitForTaskToken; the deadlines are the sweeper's)
      Choice on Outcome.outcome: done → SettleJob, failed → ClassifyFailure, gone → end
      ClassifyFailure in RunRef + attempt, outcome              out ClassifyAnswer: next = retry | settle | end
                   retry → Wait wait_seconds → CheckJob
      SettleJob    in  RunRef + attempt, outcome                out {"state": "succeeded" | …}

A step that raises is retried, then caught: the Catch of DispatchJob goes to ClassifyFailure with `error` (the error
name, e.g. States.Timeout) in place of `outcome`. Every step may be invoked twice, and late.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from snapforge.jobs.domain.failures import Failure
from snapforge.kit import ids


class _Wire(BaseModel):
    # Extra members are left alone: the state machine may pass its whole state on.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class RunRef(_Wire):
    """One run of a job: the input of the execution and of CheckJob."""

    org_id: str = Field(examples=[ids.example("org")])
    job_id: str = Field(examples=[ids.example("job")])
    run: int


class Outcome(_Wire):
    """How an attempt ended. `gone`: it no longer matters (canceled, superseded, settled by the sweeper)."""

    outcome: Literal["done", "failed", "gone"]
    result_uri: str | None = Field(
        default=None, examples=[f"s3://snapforge-dev-assets-000000000000/runs/{ids.example('job')}/1/1/result.json"]
    )
    """With `done`."""
    failure: Failure | None = None
    """With `failed`."""

    @property
    def left_at(self) -> str | None:
        """Where what the attempt left lies (result.json or partial.json)."""
        return self.failure.result_uri if self.failure else self.result_uri


class CheckAnswer(_Wire):
    """Whether to go on. `attempt` is the one to dispatch."""

    next: Literal["dispatch", "settle", "end"]
    attempt: int
    outcome: Outcome
    """For SettleJob, when `next` is settle; else `gone`."""


class DispatchCall(RunRef):
    """The payload of DispatchJob."""

    attempt: int
    task_token: str = Field(examples=["sample-token"])


class ClassifyCall(RunRef):
    """The payload of ClassifyFailure: an outcome, or the name of the error that was caught."""

    attempt: int
    outcome: Outcome | None = Field(
        default=None,
        examples=[
            {
                "outcome": "failed",
                "failure": {
                    "category": "transient",
                    "code": "interrupted",
                    "message": "The machine was taken away while it worked.",
                },
            }
        ],
    )
    error: str | None = None


class ClassifyAnswer(_Wire):
    """What follows a failure. `wait_seconds` only with retry; `outcome` is for SettleJob."""

    next: Literal["retry", "settle", "end"]
    wait_seconds: int
    outcome: Outcome


class SettleCall(RunRef):
    """The payload of SettleJob."""

    attempt: int
    outcome: Outcome


class SettleAnswer(_Wire):
    """The state the job has now."""

    state: str


def execution_name(job_id: str, run: int, recovery: int) -> str:
    """The name of a run's execution; `recovery` counts the executions that were lost before it."""
    return f"{job_id}-{run}" + (f"-{recovery}" if recovery else "")
