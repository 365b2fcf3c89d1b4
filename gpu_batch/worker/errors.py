"""The ways in which an attempt can end without its result, and the exit code of each.

`code` is stable snake_case and reaches the customer through the job; `fix` says what the customer can do,
empty where nothing.
"""

import errno
from collections.abc import Iterator
from enum import IntEnum

from botocore.exceptions import BotoCoreError, ClientError

from snapforge.contracts.reports import FailureCategory


class Exit(IntEnum):
    """Exit codes (sysexits.h). Batch's evaluateOnExit maps them: only TRY_AGAIN is worth another entry."""

    DONE = 0
    BAD_MANIFEST = 64
    INPUT = 65
    BUG = 70
    TRY_AGAIN = 75


# A deadline ends with INPUT: it must neither be retried nor page anybody.
_EXITS = {
    FailureCategory.input: Exit.INPUT,
    FailureCategory.insufficient_quality: Exit.INPUT,
    FailureCategory.transient: Exit.TRY_AGAIN,
    FailureCategory.out_of_memory: Exit.TRY_AGAIN,
    FailureCategory.deadline: Exit.INPUT,
    FailureCategory.canceled: Exit.INPUT,
    FailureCategory.bug: Exit.BUG,
}


class WorkerError(Exception):
    """An end that is reported to the control plane as `Failed`."""

    def __init__(self, category: FailureCategory, code: str, message: str, fix: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.category = category
        self.code = code
        self.message = message
        self.fix = fix

    @property
    def exit(self) -> Exit:
        """The process's exit code for this failure."""
        return _EXITS[self.category]


class InputError(WorkerError):
    """The customer's material cannot work; another try would end the same way."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(FailureCategory.input, code, message, fix)


class QualityError(WorkerError):
    """Finished, but under the promised thresholds. The results added so far are delivered as a partial result."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(FailureCategory.insufficient_quality, code, message, fix)


class TransientError(WorkerError):
    """The surroundings failed (network, throttling, disk): a later try may work."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(FailureCategory.transient, code, message)


class ProcessUnusable(TransientError):
    """Nothing that this process takes up can succeed any more: a fresh one, perhaps on another machine, has to."""


class DiskFull(ProcessUnusable):
    """The disk is full."""

    def __init__(self) -> None:
        super().__init__("disk_full", "The worker's disk is full.")


class OutOfMemory(WorkerError):
    """The machine's or the GPU's memory did not suffice; the next attempt gets `reduced` settings."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureCategory.out_of_memory, "out_of_memory", message)


class Interrupted(WorkerError):
    """The process was asked to stop (SIGTERM): checkpoints are kept, another entry goes on from them."""

    def __init__(self) -> None:
        super().__init__(FailureCategory.transient, "interrupted", "The machine was taken away while it worked.")


class Canceled(WorkerError):
    """The control plane does not want the attempt any more."""

    def __init__(self) -> None:
        super().__init__(FailureCategory.canceled, "canceled", "The job was canceled.")


class WorkerLost(WorkerError):
    """The worker that owns the attempt has not been heard of for too long."""

    def __init__(self) -> None:
        super().__init__(FailureCategory.transient, "worker_lost", "The worker that drew this was lost.")


class DeadlineError(WorkerError):
    """The manifest's deadline passed while the attempt was at work."""

    def __init__(self) -> None:
        super().__init__(
            FailureCategory.deadline,
            "deadline",
            "The job ran out of its time.",
            "Try again with fewer steps or photos.",
        )


class BugError(WorkerError):
    """Ours to mend: a broken installation or a case that should not exist."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(FailureCategory.bug, code, message)


class BadManifest(BugError):
    """The work order cannot be read, so no entry of this Batch job ever will."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_manifest", message)

    @property
    def exit(self) -> Exit:
        """Its own code: evaluateOnExit and operators tell it from a bug in the engines."""
        return Exit.BAD_MANIFEST


# Native libraries lose errno and keep the text of strerror(3); torch.save keeps neither.
_FULL_DISK_TEXTS = ("No space left on device", "File too large", "PytorchStreamWriter failed writing")
_MEMORY_TEXTS = ("can't allocate memory", "CUDA out of memory", "CUDA error: out of memory")


def explain(error: BaseException) -> WorkerError:
    """What an exception that a stage let through means for the job; what nobody foresaw is a bug."""
    for cause in _causes(error):
        if meaning := _meaning(cause):
            return meaning
    return BugError("unexpected_error", f"{type(error).__name__}: {error}")


def _meaning(cause: BaseException) -> WorkerError | None:
    if isinstance(cause, WorkerError):
        return cause
    text = str(cause)
    full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    if full or (isinstance(cause, OSError | RuntimeError) and any(known in text for known in _FULL_DISK_TEXTS)):
        return DiskFull()
    # torch.OutOfMemoryError by name: the frame does not import torch.
    out = isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError"
    if out or (isinstance(cause, RuntimeError) and any(known in text for known in _MEMORY_TEXTS)):
        return OutOfMemory(text or "The machine's memory did not suffice.")
    if isinstance(cause, BotoCoreError | ClientError | ConnectionError | TimeoutError):
        return TransientError("network", text)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
