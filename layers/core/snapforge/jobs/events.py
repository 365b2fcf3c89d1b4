"""News of jobs. `job.submitted` and `job.retried` start the workflow; the others go to the bus."""

from typing import TYPE_CHECKING, Any

from snapforge.jobs.domain.workflow import RunRef
from snapforge.kit.events import Event

if TYPE_CHECKING:
    from snapforge.jobs.store import JobRow

SUBMITTED = "job.submitted"
RETRIED = "job.retried"
SUCCEEDED = "job.succeeded"
FAILED = "job.failed"
CANCELED = "job.canceled"
PREFLIGHT_ASKED = "preflight.asked"

STARTING = frozenset({SUBMITTED, RETRIED})
STOPPING = frozenset({CANCELED, FAILED})
ENDED = {"succeeded": SUCCEEDED, "failed": FAILED, "canceled": CANCELED}


def started(job: "JobRow") -> Event:
    """A run is waiting for its workflow."""
    run = job.run
    return Event(
        type=SUBMITTED if run == 1 else RETRIED,
        org_id=job.org_id,
        data=RunRef(org_id=job.org_id, job_id=job.id, run=run).model_dump(),
    )


def ended(job: "JobRow") -> Event:
    """A run has ended: what a mail or a webhook needs at once. Keys are of the assets bucket."""
    data: dict[str, Any] = {
        "job_id": job.id,
        "run": job.run,
        "attempt": job.attempt,
        "kind": job.kind,
        "created_by": job.created_by,
        "charged": job.charged or 0,
        "released": job.credits - (job.charged or 0),
    }
    if job.parameters.kind == "lora":
        data["lora"] = {"id": job.parameters.lora_id, "name": job.parameters.name, "trigger": job.parameters.trigger}
    if job.results is not None:
        preview = job.results.preview
        data["files"] = [{"name": file.name, "role": file.role, "key": file.key} for file in job.results.files]
        data["preview_key"] = preview.key if preview else None
        data["notes"] = job.results.notes
    if job.failure is not None:
        data["failure"] = job.failure.model_dump(mode="json", exclude={"result_uri"})
    return Event(type=ENDED[job.state], org_id=job.org_id, data=data)


def preflight_asked(org_id: str, capture_id: str, version: int) -> Event:
    """Somebody waits for a pre-flight of a capture at this version."""
    return Event(type=PREFLIGHT_ASKED, org_id=org_id, data={"capture_id": capture_id, "version": version})
