"""Every operation of the OpenAPI document, asked anything: schemathesis makes requests that fit it and that do not.

Ids are mixed with those of things that exist, so that requests get past the first 404. Whatever is sent: no 5xx, a
documented status, a body by the document's schema (whose problems list the codes of each operation), and nothing that
the document forbids is accepted.
"""

import re
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.core.failures import FailureGroup

from infrastructure.tools.functions import endpoints
from snapforge.aws.idempotency import KeyReused
from snapforge.billing.service import ledger
from snapforge.http import Response
from snapforge.http.steps import throttle
from snapforge.identity.schemas import Me, OrgSummary
from snapforge.kit import ids
from tests.core.assets import customer as camera
from tests.core.assets import samples
from tests.core.assets.test_results import settle, work
from tests.core.identity import people
from tests.core.loras.made import made
from tests.support.aws import Aws
from tests.support.http import call
from tests.support.wsgi import NO_ROUTE, Gateway

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
GUARDED = {made.name for made in endpoints().values() if made.permission}
OPERATIONS = sorted(made.name for made in endpoints().values())
ORDER = {"kind": "image", "prompt": "a kingfisher", "count": 1}
BIG = 200 * 1024 * 1024
ID = re.compile(r"[a-z]{3}_[0-7][0-9A-HJKMNP-TV-Z]{25}")
CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
UNREADABLE = {400, 413, 415}
"""What a request that fits the document never gets."""
COMMON = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


@dataclass
class Member:
    """Somebody whose access token is renewed before its ten minutes are over."""

    email: str
    token: str
    since: float = field(default_factory=time.monotonic)

    def bearer(self) -> str:
        """A token that is good now."""
        if time.monotonic() - self.since > 300:
            self.token, self.since = people.log_in(self.email).body.access_token, time.monotonic()
        return self.token


@dataclass(frozen=True)
class World:
    """An org that has one of everything, by the names that paths and bodies use."""

    owner: Member
    other: Member
    """Somebody else, who may be thrown out of all sessions."""
    things: dict[str, list[str]]


@cache
def document() -> Any:
    """The document as schemathesis reads it, and the application behind it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", Gateway())


@pytest.fixture(scope="module")
def world(aws: Aws) -> World:
    """Photos good and bad, a multipart upload, jobs waiting and ended, a finished asset, keys, LoRAs, credits."""
    somebody = people.verified()
    org_id, token = somebody.opened.body.org_id, somebody.opened.body.access_token
    ledger.grant(org_id, credits=1_000_000, kind="admin", key="fuzz", memo="for the fuzz")
    captures = [call("assets/create_capture", body={"name": "x"}, token=token).json["id"] for _ in range(2)]
    uploads = [
        camera.bring(aws, org_id, samples.jpeg(), capture_id=captures[0]),
        camera.bring(aws, org_id, b"no photo", capture_id=captures[0]),
        camera.bring(aws, org_id, samples.jpeg(1)),
    ]
    big = {"files": [{"name": "big.zip", "bytes": BIG, "media_type": "application/zip"}]}
    uploads += [one["id"] for one in call("assets/presign_upload", body=big, token=token).json["uploads"]]
    jobs = [call("jobs/create_job", body=ORDER, token=token, key=uuid.uuid4().hex).json["id"] for _ in range(3)]
    call("jobs/cancel_job", path={"job_id": jobs[0]}, token=token)
    scene = {"kind": "scene", "capture_id": captures[0]}
    call("jobs/preview_job", body=scene, token=token)
    prefix, files = work(aws, jobs[2], {"picture-00.png": ("picture", "image/png", samples.jpeg())})
    assets = settle(aws, org_id, jobs[2], prefix, files)
    keys = [people.new_key(somebody.principal).id for _ in range(2)]
    things = {
        "capture_id": captures,
        "upload_id": uploads,
        "job_id": jobs,
        "asset_id": assets,
        "key_id": keys,
        "lora_id": [made(org_id) for _ in range(4)] + [made(org_id, trained=False)],
    }
    other = people.verified()
    return World(Member(somebody.email, token), Member(other.email, other.opened.body.access_token), things)


def ask(world: World, data: st.DataObject, name: str) -> None:
    """One request of an operation, and all that must be true of its answer."""
    operation = document().find_operation_by_id(name)
    mode = data.draw(st.sampled_from([POSITIVE, NEGATIVE]), label="mode")
    case = data.draw(operation.as_strategy(generation_mode=mode))
    place(world, data, case)
    throttle._counts.clear()  # The limit has tests of its own.
    good = (world.other if name == "log_out_all_devices" else world.owner).bearer()
    token = data.draw(st.sampled_from([good] * 8 + [None, "x", "sf_live_x"]), label="token")
    headers = {"x-requested-with": "snapforge"} | ({"authorization": f"Bearer {token}"} if token else {})
    answered = case.call(headers=headers)
    if NO_ROUTE in answered.headers:
        return
    # schemathesis does not take 413 for a refusal.
    skip = [checks.negative_data_rejection] if token != good or answered.status_code == 413 else []
    if name == "get_deep_health":
        skip.append(checks.not_a_server_error)  # It rightly says 503 where no workflow runs.
    case.validate_response(answered, checks=CHECKS, excluded_checks=skip)
    if token == world.owner.token and name in GUARDED:
        assert answered.status_code != 401, "nothing more is tested: the session has ended"
    told = answered.json() if answered.content else {}
    if mode is POSITIVE and told.get("code") != "invalid_cursor":
        assert answered.status_code not in UNREADABLE, told
    if answered.status_code >= 400 and name != "get_deep_health":
        assert told["code"]


def place(world: World, data: st.DataObject, case: Any) -> None:
    """Put ids of real things where well-formed ids stand, half of the time: a malformed one is there to be refused."""
    for part in (case.path_parameters, case.query, case.body):
        if not isinstance(part, dict):
            continue
        for member, known in world.things.items():
            if ID.fullmatch(str(part.get(member, ""))) and data.draw(st.booleans()):
                part[member] = data.draw(st.sampled_from(known), label=member)


@pytest.mark.part("API-1", "API-2")
@pytest.mark.parametrize("name", OPERATIONS)
@settings(COMMON, max_examples=24)
@given(data=st.data())
def test_no_request_breaks_an_operation(world: World, name: str, data: st.DataObject) -> None:
    """A few requests, the same each time."""
    ask(world, data, name)


@pytest.mark.full
@pytest.mark.parametrize("name", OPERATIONS)
@settings(COMMON, max_examples=300, derandomize=False)
@given(data=st.data())
def test_no_request_breaks_an_operation_however_often(world: World, name: str, data: st.DataObject) -> None:
    """Many, others each time."""
    ask(world, data, name)


def _raises(principal: object) -> None:
    raise KeyError(principal)


def _answers_another_status(principal: object) -> Response:
    return Response(None, 206)


def _answers_another_body(principal: object) -> Me:
    return Me(org=OrgSummary(id=ids.new("org"), name="x", personal=True), permissions=[])


def _refuses_without_saying_so(principal: object) -> None:
    raise KeyReused


@pytest.mark.parametrize("fault", [_raises, _answers_another_status, _answers_another_body, _refuses_without_saying_so])
def test_a_planted_fault_is_found(world: World, monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    """The check itself is checked."""
    made = next(made for _, made in document().app.routes if made.name == "get_balance")
    monkeypatch.setattr(made, "function", fault)

    @settings(COMMON, max_examples=10)
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        ask(world, data, "get_balance")

    with pytest.raises(FailureGroup):
        fuzz()
