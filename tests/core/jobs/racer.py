"""What each of the racing processes does. Spawned, so that it has clients of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import TypeVar

from snapforge.aws.idempotency import Replay
from snapforge.billing.errors import InsufficientCredits
from snapforge.billing.service import ledger
from snapforge.jobs import errors, schemas
from snapforge.jobs.domain.workflow import Outcome, SettleCall
from snapforge.jobs.service.runs import settlement
from snapforge.jobs.service.submission import submit
from snapforge.kit.errors import Unavailable
from snapforge.kit.permissions import Permission, Principal
from tests.core.jobs.engine import idempotency_key

T = TypeVar("T")


@dataclass(frozen=True)
class Track:
    """An org per race, and the jobs that stand ready. `ends` are (job id, address of its result)."""

    one_key: str
    one_balance: str
    ends_org: str
    ends: tuple[tuple[str, str], ...]


@dataclass
class ProgressSnapshot:
    """What one process saw."""

    same_key: str = ""
    created: list[str] = field(default_factory=list)
    refused: int = 0
    ended_as: list[str] = field(default_factory=list)


def person(org_id: str) -> Principal:
    """Somebody of the org."""
    return Principal(org_id=org_id, permissions=frozenset(Permission), user_id="usr_race")


def race(number: int, track: Track, start: Barrier, told: "Queue[ProgressSnapshot]") -> None:
    """Run all races with the others; each begins when everybody is there."""
    seen = ProgressSnapshot()
    ledger.balance(track.one_key)  # the client is made before the start

    start.wait(60)
    seen.same_key = _create(track.one_key, "one-key-for-all")

    start.wait(60)
    for turn in range(2):
        try:
            seen.created.append(_create(track.one_balance, f"key-{number}-{turn}"))
        except InsufficientCredits:
            seen.refused += 1

    for job_id, result_uri in track.ends:
        start.wait(60)
        seen.ended_as.append(_end(number, track.ends_org, job_id, result_uri))
    told.put(seen)


def _create(org_id: str, key: str) -> str:
    order = schemas.ImageCreate(kind="image", prompt="a kingfisher", count=2)
    try:
        return _patiently(lambda: submit.create_job(person(org_id), order, idempotency_key(person(org_id), key))).id
    except Replay as replay:
        return schemas.Job.model_validate_json(replay.body).id


def _end(number: int, org_id: str, job_id: str, result_uri: str) -> str:
    """Even ones settle the job, odd ones cancel it."""
    if number % 2:
        try:
            return _patiently(lambda: settlement.cancel_job(person(org_id), job_id)).state.value
        except errors.JobAlreadyEnded:
            return "succeeded"
    call = SettleCall(
        org_id=org_id, job_id=job_id, run=1, attempt=1, outcome=Outcome(outcome="done", result_uri=result_uri)
    )
    return _patiently(lambda: settlement.settle(call)).state


def _patiently(deed: Callable[[], T]) -> T:
    """Repeat a deed while the answer is 503, as a client does."""
    while True:
        try:
            return deed()
        except Unavailable:
            continue
