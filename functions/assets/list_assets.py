"""GET /v1/assets"""

from snapforge.assets.schemas import Asset, AssetsQuery
from snapforge.assets.service import gallery
from snapforge.http import Permission, Principal, Query, endpoint
from snapforge.kit.page import InvalidCursor, Page


@endpoint("GET /v1/assets", permission=Permission.assets_read, raises=(InvalidCursor,))
def handler(principal: Principal, query: Query[AssetsQuery]) -> Page[Asset]:
    """Finished files with signed links, newest first."""
    return gallery.list_assets(principal, query)
