"""Why a file is not taken, in words a customer can act on.

One table for both moments at which a file can be refused: when it is announced (presign) and when it has arrived.
`code` is stable; `reason` says what was found; `fix` says what to do.
"""

from dataclasses import dataclass

MAX_PHOTO_BYTES = 50_000_000
MAX_ARCHIVE_BYTES = 5_000_000_000
MAX_PIXELS = 50_000_000
MIN_SIDE = 64
"""Pixels. Below that neither poses nor a texture can come of it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stable `code`, what was found, and what to do about it."""

    code: str
    reason: str
    fix: str


def media_type_unsupported(media_type: str) -> Refusal:
    return Refusal(
        "media_type_unsupported",
        f"{media_type} is not taken.",
        "Send JPEG, PNG, WebP, AVIF or HEIC (or a ZIP of such photos, outside a capture).",
    )


def empty_file() -> Refusal:
    return Refusal("file_empty", "The file has no content.", "Copy it from the camera or phone again, then send it.")


def photo_too_large(size: int) -> Refusal:
    return Refusal(
        "photo_too_large",
        f"The photo has {size / 1e6:.1f} MB; at most {MAX_PHOTO_BYTES // 1_000_000} MB are taken.",
        "Export it as JPEG of quality 90 to 95, or reduce its longest side to 6000 pixels.",
    )


def archive_too_large(size: int) -> Refusal:
    return Refusal(
        "archive_too_large",
        f"The ZIP has {size / 1e9:.2f} GB; at most {MAX_ARCHIVE_BYTES // 1_000_000_000} GB are taken.",
        "Split it into several ZIP files.",
    )


def archive_in_capture() -> Refusal:
    return Refusal(
        "archive_in_capture",
        "A capture takes single photos, not a ZIP.",
        "Announce each photo of the ZIP as a file of its own, or leave out `capture_id`.",
    )


def checksum_of_parts() -> Refusal:
    return Refusal(
        "checksum_unsupported",
        "S3 has no SHA-256 of a whole file that is sent in parts.",
        "Leave out `sha256`; each part is verified by its ETag.",
    )


def size_differs(announced: int, arrived: int) -> Refusal:
    return Refusal(
        "size_differs",
        f"{announced} bytes were announced, {arrived} arrived.",
        "Announce the file again with its true size and send it unchanged.",
    )


def checksum_differs() -> Refusal:
    return Refusal(
        "checksum_differs",
        "The content does not have the SHA-256 that was announced.",
        "The file changed on its way: announce and send it again.",
    )


def upload_expired() -> Refusal:
    return Refusal("upload_expired", "The file arrived after its upload had expired.", "Ask for a new upload.")


def not_a_picture() -> Refusal:
    return Refusal(
        "not_a_picture",
        "The content is no picture, whatever its name says.",
        "Send the photo itself: JPEG, PNG, WebP, AVIF or HEIC.",
    )


def not_an_archive() -> Refusal:
    return Refusal("not_an_archive", "The content is no ZIP file.", "Pack the photos as ZIP again.")


def picture_damaged() -> Refusal:
    return Refusal(
        "picture_damaged",
        "The picture cannot be decoded to its end: it is truncated or damaged.",
        "Copy it from the camera or phone again, then send it.",
    )


def picture_animated() -> Refusal:
    return Refusal("picture_animated", "The picture is animated.", "Send one still picture, as JPEG or PNG.")


def too_many_pixels() -> Refusal:
    return Refusal(
        "too_many_pixels",
        f"The picture claims more than {MAX_PIXELS // 1_000_000} megapixels.",
        "Reduce its longest side to 6000 pixels.",
    )


def picture_too_small(width: int, height: int) -> Refusal:
    return Refusal(
        "picture_too_small",
        f"{width} by {height} pixels are too few; the shorter side needs at least {MIN_SIDE}.",
        "Send the photo in its original size.",
    )


def duplicate_photo(of: str) -> Refusal:
    return Refusal(
        "duplicate_photo",
        f"The capture holds this very file already, as {of}.",
        "Nothing to do: the first one is used. To add a view, take another photo.",
    )
