"""What a capture is good for, from what was measured at upload and what a pre-flight saw: told before it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from snapforge.contracts.preflight import Survey
from snapforge.kit.schema import Schema

MIN_PHOTOS = 8
"""Below this the poses cannot be found."""
GOOD_PHOTOS = 20
MAX_PHOTOS = 300
HOPELESS = 0.7
"""A capture is refused when fewer photos than this share of what is needed will find their place: small copies show a
little less than the worker sees."""
FULL_TURN = 300
"""Degrees from which on nothing is said about coverage."""
MANY_ALIKE = 0.3
"""Share of photos taken from nearly the same place from which on it looks like frames of a film."""

FILM_STEP = 2.5
"""Degrees from photo to photo below which …"""
SHORT_WAY = 120
"""… photos on a way shorter than this are frames of a film rather than a thorough capture."""

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
    found += of_photos(photos, refused)
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


def of_photos(photos: Sequence[PhotoFacts], refused: Sequence[tuple[str, str]]) -> list[Finding]:
    """Findings on the photos, one by one, whatever they are for."""
    found = [Finding(severity="warning", code="refused", message=reason, photo=name) for name, reason in refused]
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
    return found


def needed(photos: int) -> int:
    """How many photos must find their place for a model, of `photos`: the worker's own rule."""
    return max(MIN_PHOTOS, -(-photos // 2))


def connections(survey: Survey, names: Sequence[str]) -> list[Finding]:
    """Findings on how photos hang together; `names` in the survey's order."""
    if survey.turned:
        return [_TURNED]
    found = []
    placed, wanted = len(survey.registered), needed(survey.photos)
    if placed < wanted:
        found.append(_few_connect(placed, survey.photos, hopeless=placed < HOPELESS * wanted))
    others = [group for group in survey.groups[1:] if len(group) >= 3]
    if others:
        found.append(_apart([survey.groups[0], *others], names))
    if placed and survey.coverage_degrees is not None and survey.coverage_degrees < FULL_TURN:
        found.append(_partial_turn(survey.coverage_degrees))
    if _filmed(survey):
        found.append(_film(survey.photos))
    connected = {number for group in (*survey.groups[:1], *others) for number in group}
    return found + [_unconnected(name) for number, name in enumerate(names) if number not in connected]


NOT_EXAMINED = Finding(
    severity="note",
    code="not_examined",
    message="How the photos connect was not examined.",
    fix="Nothing to do: the job can start, and costs nothing if the photos do not connect.",
)

_TURNED = Finding(
    severity="blocker",
    code="no_parallax",
    message="The photos overlap, but all seem to be taken from one spot: there is no depth in them.",
    fix="Walk round the object: move the camera sideways between photos instead of turning it.",
)


def _few_connect(placed: int, photos: int, *, hopeless: bool) -> Finding:
    return Finding(
        severity="blocker" if hopeless else "warning",
        code="photos_do_not_connect" if hopeless else "few_connect",
        message=f"About {placed} of {photos} photos will find their place; a model needs {needed(photos)}.",
        fix="Add photos between those that are far apart: steps of 10 to 15 degrees, sharp, in even light.",
    )


def _apart(groups: Sequence[Sequence[int]], names: Sequence[str]) -> Finding:
    sizes = ", ".join(str(len(group)) for group in groups)
    first = ", ".join(names[group[0]] for group in groups)
    return Finding(
        severity="warning",
        code="separate_groups",
        message=f"The photos fall into groups that do not connect, of {sizes} photos (they begin with {first}).",
        fix="If they show different objects, make a capture of each; if not, add photos between the groups.",
    )


def _partial_turn(coverage: int) -> Finding:
    return Finding(
        severity="warning",
        code="one_side",
        message=f"The photos look from about {round(coverage, -1)} of 360 degrees round the object.",
        fix="Walk all the way round: what no photo shows will be missing or guessed.",
    )


def _filmed(survey: Survey) -> bool:
    """Whether many photos show what the one before shows, or all stand close together on a short way."""
    steps, way = len(survey.registered) - 1, survey.coverage_degrees
    short = way is not None and way < min(SHORT_WAY, FILM_STEP * steps)
    return short or len(survey.alike) > MANY_ALIKE * survey.photos


def _film(photos: int) -> Finding:
    return Finding(
        severity="warning",
        code="video_frames",
        message=f"Many of the {photos} photos are taken from nearly the same place as the one before, as in a film.",
        fix="Keep one photo for every 5 to 15 degrees: more of the same cost time and add nothing.",
    )


def _unconnected(name: str) -> Finding:
    return Finding(
        severity="warning",
        code="unconnected",
        message=f"{name} does not connect to the others.",
        photo=name,
        fix="Retake it sharp and nearer to its neighbours, with the same light, or leave it out.",
    )


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
