"""Every operation of the OpenAPI document, asked anything: schemathesis makes requests that fit it and that do not.

Ids are mixed with those of things that exist, so that requests get past the first 404. Whatever is sent: no 5xx, a
documented status, a body by the document's schema (whose problems list the codes of each operation), and nothing that
the document forbids is accepted.
"""

import re
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
from snapforge.http import Response
from snapforge.http.steps import throttle
from snapforge.identity.schemas import Me, OrgSummary
from snapforge.kit import ids
from tests.functions.world import World, build
from tests.support.aws import Aws
from tests.support.wsgi import NO_ROUTE, Gateway

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
GUARDED = {made.name for made in endpoints().values() if made.permission}
OPERATIONS = sorted(made.name for made in endpoints().values())
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


@cache
def document() -> Any:
    """The document as schemathesis reads it, and the application behind it."""
    return schemathesis.openapi.from_wsgi("/openapi.json", Gateway())


@pytest.fixture(scope="module")
def world(aws: Aws) -> World:
    """An org that has one of everything."""
    return build(aws)


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
