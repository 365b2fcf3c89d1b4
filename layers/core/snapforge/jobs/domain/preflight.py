"""What a capture is good for, from what was measured at upload: told before it costs anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snapforge.kit.schema import Schema

MIN_PHOTOS = 8
"""Below this the poses cannot be found."""
GOOD_PHOTOS = 20
MAX_PHOTOS = 300

Severity = Literal["blocker", "warning", "note"]

ADVICE: dict[str, tuple[str, str]] = {
    "blurred": ("is blurred", "Retake it: hold still, or use more light."),
    "dark": ("is too dark", "Retake it with more light."),
    "overexposed": ("is burnt out in places", "Retake it with less light."),
    "near_duplicate": ("shows what another photo shows", "Move on a little between photos."),
    "small": ("is small", "Send it in full resolution."),
}
"""What a photo's warning means, and what to do."""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """A usable photo: its name, what was found wrong, and the focal length where EXIF told it."""

    name: str
    warnings: tuple[str, ...]
    focal_px: float | None


class Finding(Schema):
    """One thing to know about a photo, or (photo absent) about the whole capture."""

    severity: Severity
    code: str
    message: str
    photo: str | None = None
    fix: str = ""


def examine(photos: Sequence[PhotoFacts], refused: Sequence[tuple[str, str]]) -> list[Finding]:
    """Findings on a capture: `photos` can be used, `refused` are (name, reason) of those that cannot."""
    found = [_count(len(photos))] if len(photos) < GOOD_PHOTOS or len(photos) > MAX_PHOTOS else []
    found += [Finding(severity="warning", code="refused", message=reason, photo=name) for name, reason in refused]
    for photo in photos:
        found += [
            Finding(
                severity="warning",
                code=warning,
                message=f"{photo.name} {ADVICE[warning][0]}.",
                photo=photo.name,
                fix=ADVICE[warning][1],
            )
            for warning in photo.warnings
        ]
    if photos and all(photo.focal_px is None for photo in photos):
        found.append(
            Finding(
                severity="note",
                code="no_focal_length",
                message="No photo tells its focal length; it will be estimated.",
                fix="Send the camera's own files, with EXIF, for better poses.",
            )
        )
    return found


def blocked(findings: Sequence[Finding]) -> Finding | None:
    """The finding that forbids the job, if there is one."""
    return next((finding for finding in findings if finding.severity == "blocker"), None)


def _count(photos: int) -> Finding:
    if photos < MIN_PHOTOS:
        return Finding(
            severity="blocker",
            code="too_few_photos",
            message=f"{photos} photos can be used; a model needs {MIN_PHOTOS} at least, a good one {GOOD_PHOTOS}.",
            fix="Walk around the object and take a photo every 10 to 15 degrees.",
        )
    if photos > MAX_PHOTOS:
        return Finding(
            severity="blocker",
            code="too_many_photos",
            message=f"{photos} photos were given; {MAX_PHOTOS} are the most.",
            fix="Leave out near-duplicates.",
        )
    return Finding(
        severity="warning",
        code="few_photos",
        message=f"{photos} photos give a rough model; from {GOOD_PHOTOS} on it gets good.",
        fix="Add photos from more sides.",
    )
