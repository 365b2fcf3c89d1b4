"""Captures as the assets context keeps them, and the DynamoDB calls that were made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snapforge.assets.domain import Facts
from snapforge.assets.store import CaptureRow, PhotoRow
from snapforge.aws import tables
from snapforge.contracts.preflight import Survey
from snapforge.jobs.store import PreflightRow
from snapforge.kit import clock, ids
from snapforge.kit.permissions import Principal


@contextmanager
def counted() -> Iterator[list[str]]:
    """The DynamoDB calls made inside, by name."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    events = tables.connection().client.meta.events
    events.register("before-call.dynamodb", note, unique_id="counted")
    try:
        yield calls
    finally:
        events.unregister("before-call.dynamodb", unique_id="counted")


def capture(who: Principal, *, photos: int = 24, pending: int = 0, refused: int = 0) -> str:
    """A capture as the assets context keeps it."""
    capture_id = ids.new("capture")
    CaptureRow(
        f"org#{who.org_id}",
        f"capture#{capture_id}",
        id=capture_id,
        org_id=who.org_id,
        name="kingfisher",
        created_at=clock.now(),
        version=photos + 1,
        expected=photos + pending + refused,
        pending=pending,
        usable=photos,
        refused=refused,
    ).save()
    for number in range(photos):
        add_photo(who, capture_id, number)
    for number in range(refused):
        PhotoRow(
            f"capture#{capture_id}",
            f"photo#r{number}",
            id=f"r{number}",
            org_id=who.org_id,
            name=f"notes-{number}.jpg",
            code="not_a_photo",
            reason="It is a text file.",
            fix="Send a photo.",
        ).save()
    return capture_id


def survey(photos: int = 24, **more: Any) -> Survey:
    """A pre-flight of photos that all connect; `more` says what is otherwise."""
    everybody = tuple(range(photos))
    seen = {"groups": (everybody,), "registered": everybody, "turned": False, "alike": (), "coverage_degrees": 360}
    return Survey.model_validate({"photos": photos, "seconds": 9.0} | seen | more)


def examined(who: Principal, capture_id: str, seen: Survey | None = None) -> str:
    """Keep a pre-flight of the capture as it is now; returns the capture's id."""
    row = tables.find(CaptureRow, f"org#{who.org_id}", f"capture#{capture_id}")
    assert row is not None
    PreflightRow(
        f"org#{who.org_id}",
        f"preflight#{capture_id}#{int(row.version):06d}",
        asked_at=clock.now(),
        survey=seen or survey(int(row.usable)),
    ).save()
    return capture_id


def add_photo(who: Principal, capture_id: str, number: int) -> None:
    """A checked photo; every second one tells its focal length, photo 0 is dark."""
    facts = Facts(
        media_type="image/jpeg",
        bytes=1,
        sha256=f"{number:064x}",
        original_width=1600,
        original_height=1200,
        width=1600,
        height=1200,
        alpha=False,
        focal_px=1400.0 if number % 2 else None,
        sharpness=500,
        mean=20 if number == 0 else 120,
        clipped_dark=0,
        clipped_bright=0,
        phash=f"{(2 ** (number % 250) - 1):064x}" if number % 2 else f"{(2**256 - 2 ** (number % 250)):064x}",
    )
    PhotoRow(
        f"capture#{capture_id}",
        f"photo#{number:04d}",
        id=f"{number:04d}",
        org_id=who.org_id,
        name=f"{number:04d}.jpg",
        key=f"captures/{capture_id}/{number:04d}.jpg",
        facts=facts.model_dump_json(),
    ).save()
