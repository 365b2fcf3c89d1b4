"""The door of the assets context: what functions and upper contexts may call."""

from snapforge.assets.captures import capture_facts, create_capture, require_ready_capture
from snapforge.assets.results import (
    API_LINKS,
    MAIL_LINKS,
    AssetLinks,
    get_asset,
    links,
    list_assets,
    list_job_assets,
    publish_results,
    register_results,
)

__all__ = [
    "API_LINKS",
    "MAIL_LINKS",
    "AssetLinks",
    "capture_facts",
    "create_capture",
    "get_asset",
    "links",
    "list_assets",
    "list_job_assets",
    "publish_results",
    "register_results",
    "require_ready_capture",
]
