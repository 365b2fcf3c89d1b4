"""POST /v1/uploads/presign"""

from typing import Annotated

from snapforge.assets import errors
from snapforge.assets.schemas import UploadsPresign, UploadTickets
from snapforge.assets.service import uploads
from snapforge.http import Body, Permission, Principal, Response, endpoint, respond


@endpoint(
    "POST /v1/uploads/presign",
    permission=Permission.uploads_write,
    raises=(errors.FileRefused, errors.CaptureNotFound, errors.CaptureFull),
    status=201,
)
def handler(principal: Principal, body: Body[UploadsPresign]) -> Annotated[Response, UploadTickets]:
    """Announce files and learn where each is sent. What cannot be taken is refused here, before it is sent."""
    return respond(uploads.presign(principal, body), status=201)
