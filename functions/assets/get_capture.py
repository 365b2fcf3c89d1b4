"""GET /v1/captures/{capture_id}"""

from snapforge.assets import errors
from snapforge.assets.schemas import Capture
from snapforge.assets.service import captures
from snapforge.http import Permission, Principal, endpoint
from snapforge.kit.ids import CaptureId


@endpoint("GET /v1/captures/{capture_id}", permission=Permission.assets_read, raises=(errors.CaptureNotFound,))
def handler(principal: Principal, capture_id: CaptureId) -> Capture:
    """A capture with every checked photo: what was measured, what to retake, what was refused and why."""
    return captures.read_capture(principal, capture_id)
