"""Events of jobs. `job.submitted` and `job.retried` start the workflow; the others go to the bus."""

from typing import TYPE_CHECKING, Any

from snapforge.jobs.domain.workflow import RunRef
from snapforge.kit import ids
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

_STARTED = {"org_id": ids.example("org"), "job_id": ids.example("job"), "run": 1}
_ENDED = {
    "job_id": ids.example("job"),
    "run": 1,
    "attempt": 1,
    "kind": "image",
    "created_by": ids.example("user"),
    "charged": 0,
    "released": 2,
}
_PICTURE = f"results/{ids.example('job')}/1/picture-00.png"
EXAMPLES: dict[str, dict[str, Any]] = {
    SUBMITTED: _STARTED,
    RETRIED: _STARTED | {"run": 2},
    SUCCEEDED: _ENDED
    | {
        "charged": 2,
        "released": 0,
        "files": [{"name": "picture-00.png", "role": "picture", "key": _PICTURE}],
        "preview_key": _PICTURE,
        "notes": [],
    },
    FAILED: _ENDED
    | {
        "failure": {
            "category": "bug",
            "code": "worker_broke",
            "message": "The render broke on our side. We have been told.",
            "fix": "",
        }
    },
    CANCELED: _ENDED,
    PREFLIGHT_ASKED: {"capture_id": ids.example("capture"), "version": 25},
}
"""An event's data by its type: the sample events are made of it."""


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
