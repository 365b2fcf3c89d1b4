"""GET /v1/uploads/{upload_id}"""

from snapforge.assets import errors
from snapforge.assets.schemas import Upload
from snapforge.assets.service import uploads
from snapforge.http import Permission, Principal, endpoint
from snapforge.kit.ids import UploadId


@endpoint("GET /v1/uploads/{upload_id}", permission=Permission.assets_read, raises=(errors.UploadNotFound,))
def handler(principal: Principal, upload_id: UploadId) -> Upload:
    """A file on its way: waiting, checked with its facts, or refused with the reason and what to do."""
    return uploads.read_upload(principal, upload_id)
