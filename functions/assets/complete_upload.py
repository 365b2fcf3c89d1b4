"""POST /v1/uploads/{upload_id}/complete"""

from typing import Annotated

from snapforge.assets import errors
from snapforge.assets.schemas import Upload, UploadComplete
from snapforge.assets.service import uploads
from snapforge.http import Body, Permission, Principal, Response, accepted, endpoint
from snapforge.kit.ids import UploadId


@endpoint(
    "POST /v1/uploads/{upload_id}/complete",
    permission=Permission.uploads_write,
    raises=(errors.UploadNotFound, errors.UploadNotOpen, errors.PartsDoNotFit),
    status=202,
)
def handler(principal: Principal, upload_id: UploadId, body: Body[UploadComplete]) -> Annotated[Response, Upload]:
    """Put the parts of a large file together; its check follows. Files sent by POST need no completion."""
    upload = uploads.complete_upload(principal, upload_id, body)
    return accepted(upload, at=f"/v1/uploads/{upload.id}")
