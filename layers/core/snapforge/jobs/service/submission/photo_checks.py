"""Whether a capture's photos will do for what is ordered of them."""

from snapforge.assets import errors as assets_errors
from snapforge.assets.domain import Capture, CaptureState
from snapforge.assets.service import captures
from snapforge.contracts.preflight import Survey
from snapforge.jobs import errors
from snapforge.jobs.domain import preflight, trainings
from snapforge.jobs.domain.requests import PhotoRequest, SceneRequest


def examine(capture: Capture, request: PhotoRequest) -> list[preflight.Finding]:
    """What was measured of a capture, as findings for what is ordered of it."""
    look = preflight.examine if isinstance(request, SceneRequest) else trainings.examine
    return look(
        [preflight.PhotoFacts(photo.name, tuple(photo.warnings), photo.focal_px) for photo in capture.usable],
        [(photo.name, photo.refusal.reason) for photo in capture.refused],
    )


def connections(capture: Capture, survey: Survey) -> list[preflight.Finding]:
    """What a pre-flight of this version saw, as findings."""
    return preflight.connections(survey, [photo.name for photo in capture.usable])


def ready_capture(org_id: str, request: PhotoRequest) -> Capture:
    """The capture that is ordered from. CaptureNotFound, CaptureNotReady."""
    capture = captures.capture_facts(org_id, request.capture_id)
    if capture.state is not CaptureState.ready:
        raise assets_errors.CaptureNotReady()
    return capture


def refuse_blocked(findings: list[preflight.Finding]) -> None:
    """CaptureNotUsable with the first finding that forbids to start."""
    blocker = preflight.blocked(findings)
    if blocker is not None:
        raise errors.CaptureNotUsable(blocker.message, fix=blocker.fix, reason=blocker.code, charged=0)
