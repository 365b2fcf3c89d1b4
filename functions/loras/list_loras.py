"""GET /v1/loras"""

from snapforge.http import Permission, Principal, Query, endpoint
from snapforge.kit.page import InvalidCursor, Page
from snapforge.loras.schemas import Lora, LorasQuery
from snapforge.loras.service import library


@endpoint("GET /v1/loras", permission=Permission.loras_read, raises=(InvalidCursor,))
def handler(principal: Principal, query: Query[LorasQuery]) -> Page[Lora]:
    """LoRAs of the organisation, newest first. They are trained by `POST /v1/jobs` with `kind` `lora`."""
    return library.list_loras(principal, query)
