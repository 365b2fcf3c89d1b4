"""Why attempts fail, what Batch's truth means, and what follows."""

from dataclasses import dataclass

from snapforge.contracts.reports import FailureCategory
from snapforge.kit.schema import Schema

MAX_ATTEMPTS = 3
"""Attempts of one run that transient failures may use up."""
BACKOFF_SECONDS = 5
BACKOFF_CAP_SECONDS = 300

RETRIED = frozenset({FailureCategory.transient, FailureCategory.out_of_memory})


class Failure(Schema):
    """Why an attempt, or in the end a job, failed."""

    category: FailureCategory
    code: str
    message: str
    fix: str = ""
    result_uri: str | None = None
    """What lies in S3 all the same: a partial result, or the receipt so far."""


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """Another attempt, after a wait drawn from [wait_seconds/2, wait_seconds]."""

    wait_seconds: int
    reduced: bool


def next_attempt(failed: tuple[FailureCategory, ...], *, reduced: bool) -> NextAttempt | None:
    """What follows the failures of a run so far (the last one is new); None: the run has failed.

    Transient failures are tried up to MAX_ATTEMPTS attempts, with growing waits. Out of memory is tried once more with
    reduced settings. All else would end the same way again.
    """
    latest = failed[-1]
    if latest is FailureCategory.out_of_memory and not reduced:
        return NextAttempt(1, reduced=True)
    transient = failed.count(FailureCategory.transient)
    if latest is FailureCategory.transient and transient < MAX_ATTEMPTS:
        return NextAttempt(min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 4 ** (transient - 1)), reduced=reduced)
    return None


def of_batch(status: str, exit_code: int | None, reason: str) -> Failure:
    """What an ended Batch job means that left neither a result nor a report.

    Exit codes are the worker's (64 bad manifest, 65 input, 70 bug, 75 try again); 137 is SIGKILL, by the kernel's
    memory killer or by a machine that went away.
    """
    if "OutOfMemory" in reason:
        return Failure(
            category=FailureCategory.out_of_memory,
            code="out_of_memory",
            message="The machine's memory did not suffice.",
        )
    if "attempt duration exceeded timeout" in reason:
        return deadline()
    if exit_code == 65:
        return Failure(
            category=FailureCategory.input,
            code="input_refused",
            message="The worker could not work with this input.",
            fix="Check the photos or the prompt, and send the job again.",
        )
    if exit_code in {64, 70} or (exit_code is not None and 0 < exit_code < 64):
        return Failure(
            category=FailureCategory.bug,
            code="worker_broke",
            message="The render broke on our side. We have been told.",
        )
    said = reason or f"Batch says {status}"
    return Failure(
        category=FailureCategory.transient,
        code="machine_lost" if reason.startswith("Host EC2") else "worker_lost",
        message=f"The machine that did the work was lost ({said}).",
    )


def of_worker(status: str, exit_code: int | None, reason: str) -> Failure:
    """What the end of a warm worker means for what it had claimed.

    Nobody knows which of its requests ended it, if any did: each is tried again, alone in its own attempt.
    """
    failure = of_batch(status, exit_code, reason)
    if failure.category in RETRIED:
        return failure
    return worker_lost(f"it ended with exit code {exit_code}" if exit_code is not None else f"Batch says {status}")


def worker_lost(why: str) -> Failure:
    """Whoever had claimed the attempt does not work on it any more."""
    return Failure(
        category=FailureCategory.transient,
        code="worker_lost",
        message=f"The machine that did the work was lost ({why}).",
    )


def undelivered() -> Failure:
    """The ticket was given out again and again, and nobody began."""
    return Failure(
        category=FailureCategory.transient,
        code="ticket_undelivered",
        message="No machine could take up the work.",
        fix="Retry the job in a few minutes.",
    )


def of_caught(error: str) -> Failure:
    """What an error means that Step Functions caught around Dispatch."""
    if error == "States.Timeout":
        return deadline()
    return Failure(
        category=FailureCategory.transient, code="dispatch_failed", message="The work could not be handed to a machine."
    )


def deadline() -> Failure:
    """The job ran out of its time."""
    return Failure(
        category=FailureCategory.deadline,
        code="deadline_exceeded",
        message="The job did not finish within its time.",
        fix="Retry it; if it happens again, use fewer steps, pictures or photos.",
    )


def lost() -> Failure:
    """The workflow was lost more often than is chance."""
    return Failure(
        category=FailureCategory.bug,
        code="workflow_lost",
        message="The render was lost on our side. We have been told.",
        fix="Retry the job.",
    )
