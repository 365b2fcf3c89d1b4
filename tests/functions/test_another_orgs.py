"""What one org has, another org neither sees nor touches: real things of an owner, asked for by a stranger."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from snapforge.assets import schemas as assets_schemas
from snapforge.assets.service import gallery, uploads
from snapforge.billing.service import ledger
from snapforge.http.steps import throttle
from snapforge.jobs import schemas
from snapforge.jobs.service.submission import previews
from snapforge.kit import ids
from tests.core.jobs.captures import capture
from tests.core.jobs.engine import Engine, running
from tests.functions.test_every_route import KINDS, OWNED, ROUTES, _sample
from tests.support import people
from tests.support.aws import Aws
from tests.support.http import Answer, call
from tests.support.loras import made as make_lora
from tests.support.members import member
from tests.support.people import Somebody
from tests.support.results import settle, work

pytestmark = pytest.mark.part("ADM-7")


@pytest.fixture(autouse=True)
def _unthrottled() -> None:
    """Sessions are counted by the process, and all these tests share few of them."""
    throttle._counts.clear()


@pytest.fixture(scope="module")
def engine(aws: Aws) -> Iterator[Engine]:
    """Batch and Step Functions as jobs see them."""
    with running(aws) as engine:
        yield engine


@pytest.fixture(scope="module")
def owner(engine: Engine) -> Somebody:
    """Has credits."""
    somebody = people.verified()
    ledger.grant_at_sign_up(somebody.principal.org_id)
    return somebody


def _job(engine: Engine, owner: Somebody) -> str:
    return engine.order(owner.principal).id


def _upload(engine: Engine, owner: Somebody) -> str:
    """One in parts, so that completing it would change something."""
    large = assets_schemas.FileAnnounced(name="a.jpg", bytes=40_000_000, media_type="image/jpeg")
    return uploads.presign(owner.principal, assets_schemas.UploadsPresign(files=[large])).uploads[0].id


def _capture(engine: Engine, owner: Somebody) -> str:
    return capture(owner.principal)


def _asset(engine: Engine, owner: Somebody) -> str:
    job_id = ids.new("job")
    prefix, files = work(engine.aws, job_id, {"report.json": ("report", "application/json", job_id.encode())})
    return settle(engine.aws, owner.principal.org_id, job_id, prefix, files)[0]


def _preview(engine: Engine, owner: Somebody) -> str:
    order = schemas.ScenePreview(kind="scene", capture_id=capture(owner.principal, photos=3, pending=1))
    preview_id = previews.preview_job(owner.principal, order).id
    assert preview_id is not None
    return preview_id


def _lora(engine: Engine, owner: Somebody) -> str:
    return make_lora(owner.principal.org_id)


def _api_key(engine: Engine, owner: Somebody) -> str:
    return people.new_key(owner.principal).id


MADE: dict[str, Callable[[Engine, Somebody], str]] = {
    "job": _job,
    "upload": _upload,
    "capture": _capture,
    "asset": _asset,
    "preview": _preview,
    "lora": _lora,
    "api_key": _api_key,
}


def _rows(aws: Aws, *needles: str) -> list[str]:
    """All rows of all tables that mention one of the texts, whole: things, outboxes, ledgers, idempotency records."""
    dynamodb = aws.client("dynamodb")
    found = []
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            rows = (json.dumps(item, sort_keys=True, default=str) for item in page["Items"])
            found += [f"{table} {row}" for row in rows if any(needle in row for needle in needles)]
    return sorted(found)


def _ask(place: str, path: dict[str, str], token: str) -> Answer:
    return call(
        place,
        path=path,
        body=_sample(place).get("body"),
        token=token,
        key=ids.new("event") if ROUTES[place].idempotent else None,
        headers={"x-requested-with": "snapforge"},
    )


def test_every_kind_of_thing_can_be_made() -> None:
    """A new route with another kind of id needs a way to make one here."""
    assert {KINDS[name] for made in OWNED.values() for name in made.signature.path} == set(MADE)


@pytest.mark.parametrize("place", OWNED)
def test_another_orgs_thing_is_404_and_stays_as_it_is(aws: Aws, engine: Engine, owner: Somebody, place: str) -> None:
    """To the letter what an absent id gets; and the owner is served, so that the thing was there."""
    path = {name: MADE[KINDS[name]](engine, owner) for name in ROUTES[place].signature.path}
    before = _rows(aws, owner.principal.org_id, *path.values())
    assert before
    refused = _ask(place, path, member().token)
    assert (refused.status, refused.headers["content-type"]) == (404, "application/problem+json")
    assert _rows(aws, owner.principal.org_id, *path.values()) == before
    absent = _ask(place, {name: ids.new(KINDS[name]) for name in path}, member().token)
    differs = {"instance"}
    assert {name: value for name, value in refused.json.items() if name not in differs} == {
        name: value for name, value in absent.json.items() if name not in differs
    }
    served = _ask(place, path, owner.opened.body.access_token)
    assert served.status < 500
    assert served.status != 404, served


PHOTOS = {"kind": "lora", "rights": True}
WORDS = {"name": "A vase", "trigger": "grvase", "subject": "vase"}
IN_BODIES: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "a model from a capture": ("jobs/create_job", "capture", lambda it: {"kind": "scene", "capture_id": it}),
    "a preview of a capture": ("jobs/preview_job", "capture", lambda it: {"kind": "scene", "capture_id": it}),
    "a LoRA from a capture": ("jobs/create_job", "capture", lambda it: PHOTOS | WORDS | {"capture_id": it}),
    "its preview": ("jobs/preview_job", "capture", lambda it: PHOTOS | WORDS | {"capture_id": it}),
    "pictures with a LoRA": (
        "jobs/create_job",
        "lora",
        lambda it: {"kind": "image", "prompt": "grvase vase", "loras": [{"id": it}]},
    ),
    "their preview": (
        "jobs/preview_job",
        "lora",
        lambda it: {"kind": "image", "prompt": "grvase vase", "loras": [{"id": it}]},
    ),
    "photos for a capture": (
        "assets/presign_upload",
        "capture",
        lambda it: {"capture_id": it, "files": [{"name": "a.jpg", "bytes": 9, "media_type": "image/jpeg"}]},
    ),
}


@pytest.fixture(scope="module")
def stranger(engine: Engine) -> Somebody:
    """With credits and a capture of their own."""
    somebody = people.verified()
    ledger.grant_at_sign_up(somebody.principal.org_id)
    return somebody


@pytest.mark.parametrize("case", IN_BODIES)
def test_another_orgs_thing_in_a_body_is_404_as_well(
    aws: Aws, engine: Engine, owner: Somebody, stranger: Somebody, case: str
) -> None:
    """Nothing is held and nothing is written, on either side."""
    place, kind, body = IN_BODIES[case]
    thing = MADE[kind](engine, owner)
    before = _rows(aws, owner.principal.org_id, stranger.principal.org_id, thing)
    refused = call(place, body=body(thing), token=stranger.opened.body.access_token, key=ids.new("event"))
    assert (refused.status, refused.json["code"]) == (404, f"{kind}_not_found")
    assert _rows(aws, owner.principal.org_id, stranger.principal.org_id, thing) == before
    served = call(place, body=body(thing), token=owner.opened.body.access_token, key=ids.new("event"))
    assert served.status != 404, served


def test_the_next_version_of_another_orgs_lora_is_404(
    aws: Aws, engine: Engine, owner: Somebody, stranger: Somebody
) -> None:
    """With photos of the stranger's own."""
    lora_id = make_lora(owner.principal.org_id)
    body = PHOTOS | {"lora_id": lora_id, "capture_id": capture(stranger.principal, photos=12)}
    for place in ("jobs/create_job", "jobs/preview_job"):
        before = _rows(aws, lora_id)
        refused = call(place, body=body, token=stranger.opened.body.access_token, key=ids.new("event"))
        assert (refused.status, refused.json["code"]) == (404, "lora_not_found")
        assert _rows(aws, lora_id) == before


@pytest.mark.parametrize(
    "place",
    ["jobs/list_jobs", "assets/list_assets", "loras/list_loras", "identity/list_api_keys", "billing/list_journals"],
)
def test_lists_hold_nothing_of_another_org(engine: Engine, owner: Somebody, place: str) -> None:
    """Nor does a filter reach them."""
    things = {kind: MADE[kind](engine, owner) for kind in ("job", "asset", "lora", "api_key")}
    asset = gallery.get_asset(owner.principal.org_id, things["asset"])
    stranger = people.verified().opened.body.access_token
    queries: list[dict[str, str]] = [{}] + ([{"job_id": asset.job_id}] if place == "assets/list_assets" else [])
    for query in queries:
        theirs = call(place, query=query, token=stranger)
        assert (theirs.status, theirs.json["items"]) == (200, [])
        ours = call(place, query=query, token=owner.opened.body.access_token)
        assert ours.json["items"]


def test_the_same_idempotency_key_is_each_orgs_own(engine: Engine, owner: Somebody, stranger: Somebody) -> None:
    """Two orgs send the same order under the same key: each gets its own job, and its own answer again."""
    body = {"kind": "image", "prompt": "a kingfisher"}
    key = ids.new("event")
    answers = [
        call("jobs/create_job", body=body, token=person.opened.body.access_token, key=key)
        for person in (owner, stranger, owner, stranger)
    ]
    assert [answered.status for answered in answers] == [201] * 4
    numbers = [answered.json["id"] for answered in answers]
    assert numbers[0] != numbers[1]
    assert numbers[2:] == numbers[:2]
    assert ["idempotency-replayed" in answered.headers for answered in answers] == [False, False, True, True]


def test_the_same_idempotency_key_is_each_routes_own(engine: Engine, owner: Somebody) -> None:
    """An order's key serves its retry as well: the retry is neither replayed nor refused for the key."""
    key, token = ids.new("event"), owner.opened.body.access_token
    job = call("jobs/create_job", body={"kind": "image", "prompt": "a jay"}, token=token, key=key)
    path = {"job_id": job.json["id"]}
    assert call("jobs/cancel_job", path=path, token=token).status == 200
    retried = call("jobs/retry_job", path=path, token=token, key=key)
    assert (retried.status, retried.json["id"], retried.json["run"]) == (200, job.json["id"], 2)
    assert "idempotency-replayed" not in retried.headers
    again = call("jobs/retry_job", path=path, token=token, key=key)
    assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
