"""POST /v1/captures"""

from typing import Annotated

from snapforge.assets.schemas import Capture, CaptureCreate
from snapforge.assets.service import captures
from snapforge.http import Body, Permission, Principal, Response, created, endpoint


@endpoint("POST /v1/captures", permission=Permission.uploads_write, status=201)
def handler(principal: Principal, body: Body[CaptureCreate]) -> Annotated[Response, Capture]:
    """Begin a capture: up to 300 photos of one object."""
    capture = captures.open_capture(principal, body)
    return created(capture, at=f"/v1/captures/{capture.id}")
