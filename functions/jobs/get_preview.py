"""GET /v1/jobs/previews/{preview_id}"""

from typing import Annotated

from snapforge.assets import errors as assets_errors
from snapforge.http import Permission, Principal, Reply, accepted, endpoint, reply
from snapforge.jobs import errors, service
from snapforge.jobs.schemas import Preview


@endpoint(
    "GET /v1/jobs/previews/{preview_id}",
    permission=Permission.jobs_read,
    raises=(errors.PreviewNotFound, assets_errors.CaptureNotFound),
    also=(202,),
)
def handler(principal: Principal, preview_id: str) -> Annotated[Reply, Preview]:
    """A preview that was still `checking`: 202 until all photos are measured and examined."""
    preview = service.get_preview(principal, preview_id)
    return accepted(preview) if preview.id is not None else reply(preview)
