"""How a run ends: what its outcome and what it left mean for state, money and files, before anything is written."""

from dataclasses import dataclass

from snapforge.contracts.reports import FailureCategory
from snapforge.contracts.results import ADAPTER, Result, ResultFile, Role
from snapforge.jobs.domain import failures
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.pricing import Price
from snapforge.jobs.domain.requests import Kind
from snapforge.jobs.domain.workflow import Outcome

PAID_ROLES: dict[Kind, Role] = {"image": "picture", "scene": "model_glb", "lora": "adapter"}
"""The role of the files that are paid for."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a run ends. `charged` credits are captured, the rest of the hold is released."""

    state: JobState
    failure: Failure | None = None
    result: Result | None = None
    """What the attempt left, for the receipt; its `files` may still not be given."""
    files: tuple[ResultFile, ...] = ()
    """Those that become assets of the customer."""
    charged: int = 0


CANCELED = Settlement(JobState.canceled)


def decide(outcome: Outcome, result: Result | None, *, kind: Kind, price: Price) -> Settlement:
    """What follows from an attempt's outcome (`done` or `failed`) and from what it left (None: nothing readable).

    A success is charged by the parts that were delivered. A failure is free; one of `insufficient_quality` gives what
    there is.
    """
    if outcome.outcome != "done" or outcome.result_uri is None:
        failure = outcome.failure or failures.lost()
        given = failure.category is FailureCategory.insufficient_quality
        return Settlement(JobState.failed, failure, result, _assets(result) if given else ())
    if result is None:
        return Settlement(JobState.failed, _broken("result_unreadable", "The result could not be read."))
    delivered = sum(file.role == PAID_ROLES[kind] for file in result.files)
    if not delivered:
        return Settlement(JobState.failed, _broken("nothing_delivered", "The render left no result."), result)
    return Settlement(JobState.succeeded, None, result, _assets(result), price.charge(delivered))


def _assets(result: Result | None) -> tuple[ResultFile, ...]:
    return tuple(file for file in result.files if file.role != ADAPTER) if result else ()


def _broken(code: str, message: str) -> Failure:
    return Failure(
        category=FailureCategory.bug, code=code, message=f"{message} We have been told.", fix="Retry the job."
    )
