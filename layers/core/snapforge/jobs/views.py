"""A job row as its customer sees it. No calls: links are signed in the process."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snapforge.assets.service import delivery
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import schemas
from snapforge.jobs.domain import progress as progresses
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.domain.requests import ImageParameters, LoraParameters
from snapforge.jobs.domain.results import Delivered
from snapforge.jobs.store import JobRow, ProgressRow
from snapforge.kit import clock


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands in its queue, and in how many seconds it should be its turn."""

    position: int
    seconds: int


_LINK_STEP = timedelta(minutes=30)
"""Links are dated to the half hour, so that within it the same job is the same answer, and its ETag holds."""
_LASTING = frozenset({FailureCategory.input, FailureCategory.insufficient_quality})


def job(row: JobRow, progress: ProgressRow | None, place: Place | None = None) -> schemas.Job:
    """All of it; `place` is for a job that waits."""
    now = clock.now()
    until = links_until()
    found = row.results
    return schemas.Job(
        **_common(row, progress, now, place),
        results=None
        if found is None
        else schemas.JobResults(
            files=[_file(file, until) for file in found.files],
            engine=found.engine,
            model=found.model,
            quality=found.quality,
            lora=found.lora,
            notes=found.notes,
        ),
        receipt=row.receipt,
    )


def summary(row: JobRow, progress: ProgressRow | None) -> schemas.JobSummary:
    """As a list shows it."""
    return schemas.JobSummary(**_common(row, progress, clock.now()))


def _common(row: JobRow, progress: ProgressRow | None, now: datetime, place: Place | None = None) -> dict[str, Any]:
    """The fields of JobSummary."""
    state = JobState(row.state)
    preview = row.results.preview if row.results else None
    return {
        "id": row.id,
        "kind": row.parameters.kind,
        "state": state,
        "run": row.run,
        "attempt": row.attempt,
        "progress": _progress(row, state, progress, place),
        "price": _price(row),
        "predicted_seconds": row.predicted_seconds,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "deadline": row.deadline,
        "parameters": row.parameters,
        "failure": _failure(row),
        "preview_url": delivery.link(preview.key, links_until()) if preview else None,
    }


def links_until() -> datetime:
    """When links that are signed now expire."""
    return delivery.expiry(step=_LINK_STEP)


def waits(row: JobRow, progress: ProgressRow | None) -> bool:
    """Whether the job is in a queue of tickets, for all that its row knows."""
    return not row.lifecycle().final and row.queued_since is not None and not _at_work(row, progress)


def memo(row: JobRow) -> str:
    """The line of the statement."""
    if isinstance(row.parameters, ImageParameters):
        count = row.parameters.count
        return f"{count} {'picture' if count == 1 else 'pictures'} · {row.id}"
    if isinstance(row.parameters, LoraParameters):
        return f"LoRA, {row.parameters.steps} steps · {row.id}"
    return f"3D model, {row.parameters.preset} · {row.id}"


def _at_work(row: JobRow, progress: ProgressRow | None) -> bool:
    return progress is not None and (progress.run, progress.attempt) == (row.run, row.attempt)


def _progress(row: JobRow, state: JobState, progress: ProgressRow | None, place: Place | None) -> schemas.Progress:
    current = progress.snapshot() if progress and progress.run == row.run else None
    at_work = _at_work(row, progress)
    stage = (
        progress.stage
        if progress and at_work
        else ("queued" if state in {JobState.queued, JobState.running} else state.value)
    )
    eta = progresses.eta_seconds(state, current if at_work else None, row.predicted_seconds, row.started_at)
    return schemas.Progress(
        stage=stage,
        percent=progresses.percent(state, current),
        eta_seconds=eta if eta is None or place is None else eta + place.seconds,
        queue_position=place.position if place else None,
        message=progress.message if progress and at_work else "",
        at=progress.at if progress and at_work else None,
    )


def _price(row: JobRow) -> schemas.Price:
    credits = row.credits
    if row.charged is None:
        return schemas.Price(credits=credits, quoted=row.quoted, held=credits)
    charged = row.charged
    return schemas.Price(credits=credits, quoted=row.quoted, held=0, charged=charged, released=credits - charged)


def _failure(row: JobRow) -> schemas.JobFailure | None:
    failure = row.failure
    if failure is None:
        return None
    return schemas.JobFailure(
        category=failure.category,
        code=failure.code,
        message=failure.message,
        fix=failure.fix,
        retryable=failure.category not in _LASTING,
        charged=row.charged or 0,
    )


def _file(file: Delivered, until: datetime) -> schemas.ResultFile:
    return schemas.ResultFile(**file.model_dump(exclude={"key"}), url=delivery.link(file.key, until), expires_at=until)
