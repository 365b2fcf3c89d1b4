"""Previews: what a job would cost and take, and a quote that holds the price."""

from datetime import datetime, timedelta

from snapforge.assets.domain import Capture, CaptureState
from snapforge.assets.service import captures
from snapforge.aws import tables
from snapforge.aws.tables import org_pk
from snapforge.contracts.preflight import Survey
from snapforge.jobs import errors, schemas, store
from snapforge.jobs.domain import preflight, pricing, quotes
from snapforge.jobs.domain.quotes import Quote
from snapforge.jobs.domain.requests import (
    ImageRequest,
    JobRequest,
    LoraRequest,
    Parameters,
    PhotoRequest,
    SceneRequest,
    fingerprint,
)
from snapforge.jobs.service.submission import photo_checks, preflights, quote_tokens, resolve
from snapforge.jobs.store import PreviewRow
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal

KEPT = timedelta(days=1)


def preview_job(principal: Principal, request: JobRequest) -> schemas.Preview:
    """Check and price an order; nothing is held. A read for each LoRA of pictures, three reads for a capture.

    While the capture is being checked or examined the answer is `checking`, with an id to ask again. ModelNotOffered,
    CaptureNotFound, LoraNotFound, LoraDeleted, LoraNotReady, LoraInTraining, LoraDoesNotFit.
    """
    if isinstance(request, ImageRequest):
        return _image(principal.org_id, request)
    capture = captures.capture_facts(principal.org_id, request.capture_id)
    found = _found(principal.org_id, request, capture)
    if found is not None:
        return found
    preview_id, now = ids.new("preview"), clock.now()
    PreviewRow(
        org_pk(principal.org_id),
        store.preview_sk(preview_id),
        id=preview_id,
        request=request,
        ttl=clock.epoch(now + KEPT),
    ).save()
    return _checking(request, preview_id)


def get_preview(principal: Principal, preview_id: str) -> schemas.Preview:
    """Ask again for a preview that was `checking`. PreviewNotFound, CaptureNotFound."""
    row = tables.find(PreviewRow, org_pk(principal.org_id), store.preview_sk(preview_id))
    if row is None or isinstance(row.request, ImageRequest):
        raise errors.PreviewNotFound()
    capture = captures.capture_facts(principal.org_id, row.request.capture_id)
    return _found(principal.org_id, row.request, capture) or _checking(row.request, preview_id)


def _found(org_id: str, request: PhotoRequest, capture: Capture) -> schemas.Preview | None:
    """The finished preview; None while photos are being checked or examined."""
    if not _settled(capture):
        return None
    measured = photo_checks.examine(capture, request)
    if isinstance(request, LoraRequest):
        return _lora(org_id, request, capture, measured)
    if preflight.blocked(measured):
        return _scene(org_id, request, capture, measured, None)
    looked = preflights.ask(org_id, capture)
    if looked.waiting:
        return None
    seen = photo_checks.connections(capture, looked.survey) if looked.survey else [preflight.NOT_EXAMINED]
    return _scene(org_id, request, capture, seen + measured, looked.survey)


def _settled(capture: Capture) -> bool:
    """Whether no photo is under way: all that was announced has been checked, or nothing was ever announced."""
    return capture.state is CaptureState.ready or capture.expected == 0


def _checking(request: JobRequest, preview_id: str) -> schemas.Preview:
    return schemas.Preview(id=preview_id, status="checking", kind=request.kind, can_start=False)


def _image(org_id: str, request: ImageRequest) -> schemas.Preview:
    parameters = resolve.image_parameters(org_id, request, 0)
    quote = Quote(org=org_id, kind="image", request=fingerprint(request), credits=pricing.price(parameters).credits)
    return _ready(parameters, quote, [])


def _lora(org_id: str, request: LoraRequest, capture: Capture, findings: list[preflight.Finding]) -> schemas.Preview:
    parameters = resolve.training_parameters(org_id, request, capture, ids.new("lora"))
    quote = Quote(org=org_id, kind="lora", request=fingerprint(request), credits=pricing.price(parameters).credits)
    found = _ready(parameters, None if preflight.blocked(findings) else quote, findings)
    found.photos_usable, found.photos_refused = len(capture.usable), len(capture.refused)
    return found


def _scene(
    org_id: str, request: SceneRequest, capture: Capture, findings: list[preflight.Finding], survey: Survey | None
) -> schemas.Preview:
    parameters = resolve.scene_parameters(request, version=capture.version, photos=len(capture.usable))
    quote = Quote(
        org=org_id,
        kind="scene",
        request=fingerprint(request),
        credits=pricing.price(parameters).credits,
        capture_version=capture.version,
        photos=len(capture.usable),
    )
    found = _ready(parameters, None if preflight.blocked(findings) else quote, findings)
    found.photos_usable, found.photos_refused = len(capture.usable), len(capture.refused)
    if survey is not None:
        found.predicted_registered, found.coverage_degrees = len(survey.registered), survey.coverage_degrees
        found.components = [len(group) for group in survey.groups]
    return found


def _ready(parameters: Parameters, quote: Quote | None, findings: list[preflight.Finding]) -> schemas.Preview:
    now: datetime = clock.now()
    price = pricing.price(parameters)
    return schemas.Preview(
        status="ready",
        kind=parameters.kind,
        can_start=quote is not None,
        credits=price.credits,
        money=schemas.Money(amount=price.money.amount, currency=price.money.currency),
        predicted_seconds=pricing.predicted_seconds(parameters),
        quote=quote_tokens.sign(quote, now) if quote else None,
        quote_expires_at=now + quotes.VALID if quote else None,
        findings=findings,
    )
