"""POST /v1/jobs/preview"""

from typing import Annotated

from snapforge.assets import errors as assets_errors
from snapforge.http import Body, Permission, Principal, Response, accepted, endpoint, respond
from snapforge.jobs import errors
from snapforge.jobs.schemas import Preview, PreviewCreate
from snapforge.jobs.service.submission import previews


@endpoint(
    "POST /v1/jobs/preview",
    permission=Permission.jobs_create,
    raises=(errors.ModelNotOffered, *errors.MODERATION, assets_errors.CaptureNotFound, *errors.LORA),
    other_statuses=(202,),
)
def handler(principal: Principal, body: Body[PreviewCreate]) -> Annotated[Response, Preview]:
    """Check and price a job: credits, time, which photos to retake, and a quote that holds the price for 15 minutes.

    202 while the photos are still being measured, or examined for how they connect: poll the `Location`.
    """
    preview = previews.preview_job(principal, body)
    if preview.id is not None:
        return accepted(preview, at=f"/v1/jobs/previews/{preview.id}")
    return respond(preview)
