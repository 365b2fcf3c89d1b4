"""The work order of an attempt: written once, read by whoever works on it."""

from datetime import datetime

from snapforge.assets.service import captures
from snapforge.aws import s3, settings
from snapforge.contracts.manifest import Manifest, Photo, SceneWork, Work
from snapforge.jobs.domain import deadlines, pictures, trainings
from snapforge.jobs.domain.requests import ImageParameters, LoraParameters, SceneParameters
from snapforge.jobs.service import adapters
from snapforge.jobs.service.runs import attempts
from snapforge.jobs.store import AttemptRow, JobRow


def write(job: JobRow, row: AttemptRow, now: datetime) -> str:
    """Put the manifest below the attempt's prefix; returns its address.

    Raises CaptureNotFound where the photos are gone; LoraNotFound, LoraDeleted, LoraNotReady where a LoRA is.
    """
    run, attempt = row.run, row.attempt
    output = attempts.row_prefix(row)
    manifest = Manifest(
        job_id=job.id,
        run=run,
        attempt=attempt,
        deadline=now + deadlines.limits(job.parameters).whole,
        reports_queue_url=settings.get("REPORTS_QUEUE_URL"),
        output_uri=output,
        resume_uri=attempts.prefix_uri(job.id, run, attempt - 1) if attempt > 1 else None,
        reduced=job.reduced,
        work=_work(job),
    )
    uri = output + "manifest.json"
    s3.put(uri, manifest.model_dump_json().encode(), "application/json")
    return uri


def _work(job: JobRow) -> Work:
    parameters = job.parameters
    if isinstance(parameters, ImageParameters):
        return pictures.work(parameters, adapters.refs(job.org_id, parameters))
    if isinstance(parameters, LoraParameters):
        return trainings.work(parameters, _photos(job.org_id, parameters))
    ordered = parameters.model_dump(include={"preset", "usdz", "longest_side_m", "floor", "compression", "seed"})
    return SceneWork(photos=_photos(job.org_id, parameters), **ordered)


def _photos(org_id: str, parameters: SceneParameters | LoraParameters) -> tuple[Photo, ...]:
    """The photos that were paid for: of a capture that has grown since, the first ones."""
    capture = captures.capture_facts(org_id, parameters.capture_id)
    first = sorted(capture.usable, key=lambda photo: photo.id)[: parameters.photos]
    return tuple(
        Photo(uri=photo.uri, name=photo.name, width=photo.width, height=photo.height, focal_px=photo.focal_px)
        for photo in first
    )
