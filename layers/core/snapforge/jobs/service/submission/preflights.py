"""The capture pre-flight: asked for by a preview, done by a function of its own, kept per capture and version."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from snapforge.assets import errors as assets_errors
from snapforge.assets.domain import Capture, Photo
from snapforge.assets.service import captures
from snapforge.aws import outbox, s3, tables
from snapforge.aws.tables import org_pk
from snapforge.contracts.preflight import Survey
from snapforge.jobs import events, store
from snapforge.jobs.store import Outbox, PreflightRow
from snapforge.kit import clock
from snapforge.kit.events import Event

LIMIT = timedelta(seconds=60)
"""A preview waits no longer: it is then ready without."""
LOOK_S = 50.0
"""What the looking itself may take, so that its result comes within LIMIT."""
ASK_AGAIN = timedelta(minutes=15)
"""A pre-flight that failed, or whose event was lost, is asked for again after this."""
KEPT = timedelta(days=30)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a pre-flight is. Neither `waiting` nor a survey: the photos were not looked at."""

    survey: Survey | None = None
    waiting: bool = False


def ask(org_id: str, capture: Capture) -> Looked:
    """The pre-flight of this version; it is begun where there is none. One read, and a write where it is begun."""
    now = clock.now()
    row = _find(org_id, capture.id, capture.version)
    if row is None or (row.survey is None and now - row.asked_at >= ASK_AGAIN):
        _begin(org_id, capture, row)
        return Looked(waiting=True)
    waiting = row.survey is None and row.failure is None and now - row.asked_at < LIMIT
    return Looked(row.survey, waiting)


def known(org_id: str, capture: Capture) -> Survey | None:
    """What a pre-flight of this version saw, if there was one. One read."""
    row = _find(org_id, capture.id, capture.version)
    return row.survey if row else None


def preflight(event: Event) -> str:
    """Do the pre-flight that a `preflight.asked` asks for; returns what became of it, in a word.

    Twice is harmless. A capture that has changed or gone since is left: its new version is asked for by itself.
    """
    capture_id, version = event.data["capture_id"], event.data["version"]
    row = _find(event.org_id, capture_id, version)
    if row is None or row.survey is not None:
        return "known"
    try:
        capture = captures.capture_facts(event.org_id, capture_id)
    except assets_errors.CaptureNotFound:
        return "gone"
    if capture.version != version:
        return "changed"
    return _look(row, capture)


def _look(row: PreflightRow, capture: Capture) -> str:
    from snapforge.preflight import looking

    try:
        survey = _survey(capture.usable)
    except (looking.LookFailedError, OSError) as error:
        row.update(
            actions=[PreflightRow.failure.set(str(error) or type(error).__name__)],
            condition=PreflightRow.survey.does_not_exist(),
        )
        return f"failed: {error}"
    row.update(actions=[PreflightRow.survey.set(survey), PreflightRow.failure.remove()])
    return "done"


def _survey(photos: tuple[Photo, ...]) -> Survey:
    from snapforge.preflight import looking, small

    began = time.monotonic()
    side = small.side_for([(photo.width, photo.height) for photo in photos])
    with tempfile.TemporaryDirectory(prefix="preflight-") as name:
        folder = Path(name)

        def copy(number: int) -> float | None:
            photo = photos[number]
            scale = small.write_copy(s3.get(photo.uri), side, looking.copy_path(folder, number))
            return photo.focal_px * scale if photo.focal_px else None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            focals = list(pool.map(copy, range(len(photos))))
        links = looking.look(folder, focals, limit_s=max(1.0, LOOK_S - (time.monotonic() - began)))
    return looking.survey(len(photos), links, time.monotonic() - began)


def _begin(org_id: str, capture: Capture, before: PreflightRow | None) -> None:
    """Write that it is asked for and tell so, unless somebody else just did."""
    now = clock.now()
    row = PreflightRow(
        org_pk(org_id),
        store.preflight_sk(capture.id, capture.version),
        asked_at=now,
        ttl=clock.epoch(now + KEPT),
    )
    tx = tables.Transaction()
    if before is None:
        tx.put_new(row, failed=lambda _: tables.Stale())
    else:
        tx.put(row, PreflightRow.asked_at == before.asked_at, failed=lambda _: tables.Stale())
    outbox.put(tx, Outbox, events.preflight_asked(org_id, capture.id, capture.version))
    try:
        tx.commit()
    except tables.Stale:
        return


def _find(org_id: str, capture_id: str, version: int) -> PreflightRow | None:
    return tables.find(PreflightRow, org_pk(org_id), store.preflight_sk(capture_id, version))
