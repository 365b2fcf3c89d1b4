"""GET /v1/assets/{asset_id}"""

from snapforge.assets import errors
from snapforge.assets.schemas import Asset
from snapforge.assets.service import gallery
from snapforge.http import Permission, Principal, endpoint
from snapforge.kit.ids import AssetId


@endpoint("GET /v1/assets/{asset_id}", permission=Permission.assets_read, raises=(errors.AssetNotFound,))
def handler(principal: Principal, asset_id: AssetId) -> Asset:
    """A finished file: signed links to the original and its variants, and the parameters that made it."""
    return gallery.read_asset(principal, asset_id)
