"""What holds of uploads, captures and photos. Plain values; no I/O.

Pixels are pixels of the working copy (upright, longest side ≤ 4096) unless a name says `original`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from statistics import median

from pydantic import BaseModel, ConfigDict

from snapforge.assets import refusals
from snapforge.assets.refusals import MAX_ARCHIVE_BYTES, MAX_PHOTO_BYTES, Refusal

MAX_PHOTOS = 300
"""Per capture."""
PART_BYTES = 64 * 1024 * 1024
MULTIPART_ABOVE = 100_000_000
POST_LIFE = timedelta(minutes=15)
MULTIPART_LIFE = timedelta(hours=12)
ARRIVAL_GRACE = timedelta(hours=1)
"""S3 tests the expiry when a request starts: what began in time may arrive this much later."""

PHOTO_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/heif"})
ARCHIVE_TYPES = frozenset({"application/zip", "application/x-zip-compressed"})

MIN_SHARPNESS = 12.0
RELATIVE_SHARPNESS = 0.2
DARK_MEAN = 30.0
BRIGHT_SHARE = 0.45
SMALL_SIDE = 800
NEAR_BITS = 4
"""Of the hash's 256: re-encoded, resized or brightened copies differ in 0 to 1, the nearest two of 24 views in 11."""

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/gif": "gif",
    "model/gltf-binary": "glb",
    "model/vnd.usdz+zip": "usdz",
    "video/mp4": "mp4",
    "application/json": "json",
}


class UploadState(StrEnum):
    """Where one file is on its way."""

    waiting = "waiting"
    usable = "usable"
    refused = "refused"
    stored = "stored"
    """A ZIP, kept for later work."""
    expired = "expired"


class CaptureState(StrEnum):
    """`open`: nothing was checked yet. `checking`: some photos are still to come. `ready`: all were checked."""

    open = "open"
    checking = "checking"
    ready = "ready"


class PhotoWarning(StrEnum):
    """What is worth a retake, though the photo is used."""

    blurred = "blurred"
    dark = "dark"
    overexposed = "overexposed"
    small = "small"
    near_duplicate = "near_duplicate"


@dataclass(frozen=True, slots=True)
class Announced:
    """A file as the customer announces it; `sha256` is lower-case hex."""

    name: str
    bytes: int
    media_type: str
    sha256: str | None = None

    @property
    def archive(self) -> bool:
        return self.media_type in ARCHIVE_TYPES

    @property
    def multipart(self) -> bool:
        return self.bytes > MULTIPART_ABOVE

    @property
    def life(self) -> timedelta:
        """How long its upload is open."""
        return MULTIPART_LIFE if self.multipart else POST_LIFE


class Lens(BaseModel):
    """What EXIF told before it was stripped. Never a position."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    make: str | None = None
    model: str | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    taken_at: str | None = None
    """The camera's own clock, `2026-05-01T12:00:00`, with an offset only where the camera wrote one."""


class Facts(BaseModel):
    """What was measured of one photo."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    media_type: str
    """By content, not by name."""
    bytes: int
    sha256: str
    original_width: int
    """Upright."""
    original_height: int
    width: int
    height: int
    alpha: bool
    focal_px: float | None = None
    lens: Lens = Lens()
    sharpness: float
    """Variance of the Laplacian at 1024 px, mean over the sharpest tenth of the picture's tiles."""
    mean: float
    """Luma of the middle, 0..255."""
    clipped_dark: float
    """Share of the middle, 0..1."""
    clipped_bright: float
    phash: str
    """256 bits, hex."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A usable photo of a capture."""

    id: str
    name: str
    uri: str
    """s3:// address of the working copy: upright, sRGB, without metadata."""
    facts: Facts
    warnings: tuple[PhotoWarning, ...] = ()
    duplicate_of: str | None = None

    @property
    def width(self) -> int:
        return self.facts.width

    @property
    def height(self) -> int:
        return self.facts.height

    @property
    def focal_px(self) -> float | None:
        return self.facts.focal_px


@dataclass(frozen=True, slots=True)
class RefusedPhoto:
    """A photo that is not used, and why."""

    id: str
    name: str
    refusal: Refusal
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """Photos of one object. `version` rises with every change of the set."""

    id: str
    org_id: str
    name: str
    created_at: datetime
    version: int
    expected: int
    checked: int
    usable: tuple[Photo, ...]
    refused: tuple[RefusedPhoto, ...]

    @property
    def state(self) -> CaptureState:
        return capture_state(expected=self.expected, checked=self.checked)


@dataclass(frozen=True, slots=True)
class Variant:
    """One form in which a picture is delivered."""

    name: str
    """`jpeg`, `webp`, `avif` or `thumbnail`."""
    key: str
    media_type: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A finished thing: one result file of a job, and the variants made of it."""

    id: str
    org_id: str
    job_id: str
    kind: str
    role: str
    name: str
    key: str
    """Content-addressed, in the assets bucket."""
    media_type: str
    bytes: int
    sha256: str
    width: int | None
    height: int | None
    parameters: dict[str, object]
    created_at: datetime
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetLinks:
    """Signed addresses of one asset, good until `expires_at`."""

    original: str
    variants: dict[str, str]
    """By the variant's name."""
    expires_at: datetime


def capture_state(*, expected: int, checked: int) -> CaptureState:
    """The state that counts imply."""
    if checked == 0:
        return CaptureState.open
    return CaptureState.ready if checked == expected else CaptureState.checking


def refuse_announced(file: Announced, *, in_capture: bool) -> Refusal | None:
    """Why this file need not even be sent; None when it is welcome."""
    if file.media_type not in PHOTO_TYPES | ARCHIVE_TYPES:
        return refusals.media_type_unsupported(file.media_type)
    if file.bytes == 0:
        return refusals.empty_file()
    if file.archive:
        return _refuse_archive(file, in_capture=in_capture)
    return refusals.photo_too_large(file.bytes) if file.bytes > MAX_PHOTO_BYTES else None


def _refuse_archive(file: Announced, *, in_capture: bool) -> Refusal | None:
    if in_capture:
        return refusals.archive_in_capture()
    if file.bytes > MAX_ARCHIVE_BYTES:
        return refusals.archive_too_large(file.bytes)
    return refusals.checksum_of_parts() if file.multipart and file.sha256 else None


def refuse_arrived(*, announced: int, arrived: int, at: datetime, expires_at: datetime) -> Refusal | None:
    """Why what lies in S3 is not looked at: late, or of another size (bytes) than announced."""
    if at > expires_at + ARRIVAL_GRACE:
        return refusals.upload_expired()
    return refusals.size_differs(announced, arrived) if arrived != announced else None


def part_count(size: int) -> int:
    """How many parts a file of `size` bytes is sent in."""
    return -(-size // PART_BYTES)


def assess(photos: Sequence[Photo]) -> tuple[Photo, ...]:
    """The photos with their warnings. Done on reading, over the whole capture, so that the order in which photos
    arrived changes nothing: blur is judged against the others, a near-duplicate names the earliest of its kind."""
    typical = median([photo.facts.sharpness for photo in photos]) if photos else 0.0
    doubles = _near_duplicates(photos)
    return tuple(
        replace(
            photo,
            warnings=_warnings(photo.facts, typical, doubled=photo.id in doubles),
            duplicate_of=doubles.get(photo.id),
        )
        for photo in photos
    )


def _warnings(facts: Facts, typical: float, *, doubled: bool) -> tuple[PhotoWarning, ...]:
    found = {
        PhotoWarning.blurred: facts.sharpness < max(MIN_SHARPNESS, RELATIVE_SHARPNESS * typical),
        PhotoWarning.dark: facts.mean < DARK_MEAN,
        PhotoWarning.overexposed: facts.clipped_bright > BRIGHT_SHARE,
        PhotoWarning.small: max(facts.width, facts.height) < SMALL_SIDE,
        PhotoWarning.near_duplicate: doubled,
    }
    return tuple(warning for warning, holds in found.items() if holds)


def _near_duplicates(photos: Sequence[Photo]) -> dict[str, str]:
    """Photo id → the earliest photo that looks the same. 300 photos are 45,000 comparisons: about 10 ms."""
    kept: list[tuple[int, str]] = []
    doubles: dict[str, str] = {}
    for photo in sorted(photos, key=lambda one: one.id):
        bits = int(photo.facts.phash, 16)
        twin = next((other for seen, other in kept if (bits ^ seen).bit_count() <= NEAR_BITS), None)
        if twin is None:
            kept.append((bits, photo.id))
        else:
            doubles[photo.id] = twin
    return doubles


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def asset_id(job_id: str, prefix_uri: str, name: str) -> str:
    """The id of a job's result: the same file gets the same id however often it is registered.

    It begins with the job's own time, so that one key-prefix query finds all results of a job.
    """
    digest = int.from_bytes(sha256(f"{job_id}\0{prefix_uri}\0{name}".encode()).digest()[:10], "big")
    tail = "".join(_CROCKFORD[digest >> shift & 31] for shift in range(75, -1, -5))
    return asset_prefix(job_id) + tail


def asset_prefix(job_id: str) -> str:
    """What the ids of a job's assets begin with."""
    return f"ast_{job_id.removeprefix('job_')[:10]}"


def content_key(digest: str, media_type: str) -> str:
    """The content-addressed key of a deliverable file (`digest`: SHA-256, hex)."""
    return f"assets/{digest[:2]}/{digest}.{EXTENSIONS.get(media_type, 'bin')}"
