"""The wire of uploads, captures and assets."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from snapforge.assets.domain import CaptureState, Lens, PhotoWarning, UploadState
from snapforge.kit.ids import CaptureId, JobId
from snapforge.kit.page import PageQuery
from snapforge.kit.schema import Schema, Timestamp


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name has printable characters only")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]


class CaptureCreate(Schema):
    """Begin a capture: up to 300 photos of one object."""

    name: Annotated[str, Field(max_length=120, examples=["Kingfisher"]), AfterValidator(_printable)] = ""


class FileAnnounced(Schema):
    """A file that is about to be sent."""

    name: FileName = Field(examples=["IMG_0042.jpg"])
    bytes: int = Field(ge=0, le=10**12, examples=[2_481_152])
    media_type: Annotated[str, Field(min_length=3, max_length=100)] = Field(examples=["image/jpeg"])
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64}|[A-Za-z0-9+/]{43}=)$")] | None = None
    """Hex or base64; then S3 and we verify it."""


class UploadsPresign(Schema):
    """Announce 1 to 100 files. With `capture_id` they are photos of that capture."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"files": [{"name": "IMG_0042.jpg", "bytes": 2_481_152, "media_type": "image/jpeg"}]}]
        }
    )

    capture_id: CaptureId | None = None
    files: list[FileAnnounced] = Field(min_length=1, max_length=100)


class PresignedPost(Schema):
    """Send the file as multipart/form-data: all `fields` first, then the file as `file`."""

    url: str
    fields: dict[str, str]


class PresignedPart(Schema):
    """PUT bytes `offset`..`offset + bytes` to `url` and keep the ETag of the answer."""

    number: int
    offset: int
    bytes: int
    url: str


class UploadTicket(Schema):
    """How to send one file: `post`, or `parts` and then `POST /v1/uploads/{id}/complete`."""

    id: str
    name: str
    expires_at: Timestamp
    post: PresignedPost | None = None
    parts: list[PresignedPart] | None = None


class UploadTickets(Schema):
    """One ticket per announced file, in order."""

    uploads: list[UploadTicket]


class UploadedPart(Schema):
    number: int = Field(ge=1, le=10_000)
    etag: Annotated[str, Field(min_length=1, max_length=128)] = Field(examples=['"9b2cf535f27731c974343645a3985328"'])


class UploadComplete(Schema):
    """All parts, in order."""

    parts: list[UploadedPart] = Field(min_length=1, max_length=10_000)


class Refused(Schema):
    """Why a file is not used."""

    code: str
    reason: str
    fix: str


class PhotoFacts(Schema):
    """What was measured of a photo."""

    media_type: str
    bytes: int
    original_width: int
    original_height: int
    width: int
    """Of the working copy, as all below."""
    height: int
    alpha: bool
    focal_px: float | None = None
    lens: Lens
    sharpness: float
    mean: float
    clipped_dark: float
    clipped_bright: float


class Upload(Schema):
    """One file on its way."""

    id: str
    capture_id: str | None = None
    name: str
    bytes: int
    media_type: str
    state: UploadState
    created_at: Timestamp
    expires_at: Timestamp
    refused: Refused | None = None
    duplicate_of: str | None = None
    photo: PhotoFacts | None = None
    thumbnail: str | None = None
    """A signed address, good for an hour."""


class CaptureCounts(Schema):
    """`expected` = `checked` + those still to come; `checked` = `usable` + `refused`."""

    expected: int
    checked: int
    usable: int
    refused: int


class CapturePhoto(Schema):
    """One checked photo."""

    id: str
    name: str
    state: Literal["usable", "refused"]
    warnings: list[PhotoWarning]
    photo: PhotoFacts | None = None
    duplicate_of: str | None = None
    refused: Refused | None = None


class Capture(Schema):
    """Photos of one object, with what was found about each."""

    id: str
    name: str
    state: CaptureState
    created_at: Timestamp
    counts: CaptureCounts
    photos: list[CapturePhoto]


class AssetsQuery(PageQuery):
    """The newest first."""

    job_id: JobId | None = None


class Link(Schema):
    """A file behind a signed address."""

    name: str
    url: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None


class Asset(Schema):
    """A finished file of a job, with signed links that hold until `links_expire_at`."""

    id: str
    job_id: str
    kind: str
    role: str
    name: str
    created_at: Timestamp
    sha256: str
    original: Link
    variants: list[Link]
    """Smaller forms of a picture; they follow within seconds."""
    links_expire_at: Timestamp
    parameters: dict[str, Any]
