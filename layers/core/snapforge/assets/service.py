"""The door of the assets context: what functions and upper contexts may call."""

import base64

from snapforge.assets import captures, results, schemas, uploads, views
from snapforge.assets.arrivals import Arrival, check_arrival
from snapforge.assets.captures import capture_facts, require_ready_capture
from snapforge.assets.domain import Announced
from snapforge.assets.results import (
    API_LINKS,
    MAIL_LINKS,
    AssetLinks,
    get_asset,
    links,
    list_job_assets,
    publish_results,
    register_results,
    sign,
)
from snapforge.assets.uploads import sweep as sweep_uploads
from snapforge.assets.variants import make_variants
from snapforge.kit.page import Page

__all__ = [
    "API_LINKS",
    "MAIL_LINKS",
    "Arrival",
    "AssetLinks",
    "capture_facts",
    "check_arrival",
    "complete_upload",
    "get_asset",
    "links",
    "list_assets",
    "list_job_assets",
    "make_variants",
    "open_capture",
    "presign",
    "publish_results",
    "read_asset",
    "read_capture",
    "read_upload",
    "register_results",
    "require_ready_capture",
    "sign",
    "sweep_uploads",
]


def open_capture(org_id: str, body: schemas.CaptureCreate) -> schemas.Capture:
    """Begin a capture."""
    return views.capture(captures.create_capture(org_id, body.name))


def read_capture(org_id: str, capture_id: str) -> schemas.Capture:
    """A capture with its photos. CaptureNotFound."""
    return views.capture(capture_facts(org_id, capture_id))


def presign(org_id: str, body: schemas.UploadsPresign) -> schemas.UploadTickets:
    """Announce files. FileRefused, CaptureNotFound, CaptureFull."""
    files = [
        Announced(file.name, file.bytes, file.media_type.lower(), _hex(file.sha256) if file.sha256 else None)
        for file in body.files
    ]
    return schemas.UploadTickets(uploads=uploads.presign(org_id, files, body.capture_id))


def complete_upload(org_id: str, upload_id: str, body: schemas.UploadComplete) -> schemas.Upload:
    """Put a multipart upload together. UploadNotFound, UploadNotOpen, PartsDoNotFit."""
    parts = [(part.number, part.etag) for part in body.parts]
    return views.upload(uploads.complete(org_id, upload_id, parts), None)


def read_upload(org_id: str, upload_id: str) -> schemas.Upload:
    """An upload and what became of it. UploadNotFound."""
    row = uploads.find(org_id, upload_id)
    photo = uploads.find_photo(row)
    thumbnail = sign(photo.thumbnail, expires_in=API_LINKS) if photo and photo.thumbnail else None
    return views.upload(row, photo, thumbnail)


def read_asset(org_id: str, asset_id: str) -> schemas.Asset:
    """An asset with signed links. AssetNotFound."""
    asset = get_asset(org_id, asset_id)
    return views.asset(asset, links([asset])[asset.id])


def list_assets(org_id: str, query: schemas.AssetsQuery) -> Page[schemas.Asset]:
    """Assets with signed links, newest first, or those of one job. InvalidCursor."""
    if query.job_id is not None:
        found, cursor = list_job_assets(org_id, query.job_id), None
    else:
        found, cursor = results.list_assets(org_id, limit=query.limit, cursor=query.cursor)
    signed = links(found)
    return Page(items=[views.asset(asset, signed[asset.id]) for asset in found], next_cursor=cursor)


def _hex(digest: str) -> str:
    """A SHA-256 given as hex or base64, as hex."""
    return digest if len(digest) == 64 else base64.b64decode(digest).hex()
