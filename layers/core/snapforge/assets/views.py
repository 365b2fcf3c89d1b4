"""From what the context knows to what the wire says."""

from snapforge.assets import schemas
from snapforge.assets.domain import Asset, AssetLinks, Capture, Facts, UploadState, Variant
from snapforge.assets.refusals import Refusal
from snapforge.assets.store import PhotoRow, UploadRow


def capture(found: Capture) -> schemas.Capture:
    """Photos in the order in which they were announced, whatever became of them."""
    usable = [
        schemas.CapturePhoto(
            id=photo.id,
            name=photo.name,
            state="usable",
            photo=facts(photo.facts),
            warnings=list(photo.warnings),
            duplicate_of=photo.duplicate_of,
        )
        for photo in found.usable
    ]
    refused = [
        schemas.CapturePhoto(
            id=photo.id,
            name=photo.name,
            state="refused",
            warnings=[],
            refused=refusal(photo.refusal),
            duplicate_of=photo.duplicate_of,
        )
        for photo in found.refused
    ]
    return schemas.Capture(
        id=found.id,
        name=found.name,
        state=found.state,
        created_at=found.created_at,
        counts=schemas.CaptureCounts(
            expected=found.expected, checked=found.checked, usable=len(usable), refused=len(refused)
        ),
        photos=sorted(usable + refused, key=lambda photo: photo.id),
    )


def upload(row: UploadRow, photo: PhotoRow | None, thumbnail: str | None = None) -> schemas.Upload:
    """`thumbnail`: a signed address."""
    known = photo.facts if photo else None
    return schemas.Upload(
        id=row.id,
        capture_id=row.capture_id,
        name=row.name,
        bytes=row.bytes,
        media_type=row.media_type,
        state=UploadState(row.state),
        created_at=row.created_at,
        expires_at=row.expires_at,
        refused=refusal(Refusal(photo.code, photo.reason, photo.fix)) if photo and photo.code else None,
        duplicate_of=photo.duplicate_of if photo else None,
        photo=facts(Facts.model_validate_json(known)) if known else None,
        thumbnail=thumbnail,
    )


def facts(found: Facts) -> schemas.PhotoFacts:
    """Without hashes, which are for us."""
    return schemas.PhotoFacts.model_validate(found)


def refusal(why: Refusal) -> schemas.Refused:
    return schemas.Refused(code=why.code, reason=why.reason, fix=why.fix)


def asset(found: Asset, links: AssetLinks) -> schemas.Asset:
    return schemas.Asset(
        id=found.id,
        job_id=found.job_id,
        kind=found.kind,
        role=found.role,
        name=found.name,
        created_at=found.created_at,
        sha256=found.sha256,
        original=schemas.Link(
            name=found.name,
            url=links.original,
            media_type=found.media_type,
            bytes=found.bytes,
            width=found.width,
            height=found.height,
        ),
        variants=[_link(variant, links.variants[variant.name]) for variant in found.variants],
        links_expire_at=links.expires_at,
        parameters=found.parameters,
    )


def _link(variant: Variant, url: str) -> schemas.Link:
    return schemas.Link(
        name=variant.name,
        url=url,
        media_type=variant.media_type,
        bytes=variant.bytes,
        width=variant.width,
        height=variant.height,
    )
