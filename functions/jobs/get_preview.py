"""GET /v1/jobs/previews/{preview_id}"""

from typing import Annotated

from snapforge.assets import errors as assets_errors
from snapforge.http import Permission, Principal, Response, accepted, endpoint, respond
from snapforge.jobs import errors
from snapforge.jobs.schemas import Preview
from snapforge.jobs.service.submission import previews
from snapforge.kit.ids import PreviewId
from snapforge.loras import errors as loras_errors


@endpoint(
    "GET /v1/jobs/previews/{preview_id}",
    permission=Permission.jobs_read,
    raises=(
        errors.PreviewNotFound,
        *errors.MODERATION,
        errors.ModelNotOffered,
        assets_errors.CaptureNotFound,
        *loras_errors.TRAINING,
    ),
    other_statuses=(202,),
)
def handler(principal: Principal, preview_id: PreviewId) -> Annotated[Response, Preview]:
    """A preview that was still `checking`: 202 until all photos are measured and examined."""
    preview = previews.get_preview(principal, preview_id)
    return accepted(preview) if preview.id is not None else respond(preview)
