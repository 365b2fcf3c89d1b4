"""What every route owes, whoever wrote it: tests that a new endpoint gets for free."""

import json
from pathlib import Path
from typing import Any

import pytest

from infrastructure.tools.functions import endpoints
from snapforge.kit import ids
from snapforge.kit.permissions import Permission
from tests.support.aws import Aws
from tests.support.http import Answer, LambdaContext, call, load
from tests.support.members import member, own_session

ROOT = Path(__file__).parents[2]
ROUTES = endpoints()
GUARDED = {place: made for place, made in ROUTES.items() if made.permission is not None}
OWNED = {place: made for place, made in GUARDED.items() if made.signature.path}
KINDS = {f"{kind}_id": kind for kind in ids.PREFIXES} | {"key_id": "api_key"}
"""The kind of thing behind a path's variable."""


def _sample(place: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{place}.json").read_text())
    return event


def _ask(place: str, token: str | None) -> Answer:
    """The sample's body, with fresh ids in the path."""
    made, sample = ROUTES[place], _sample(place)
    return call(
        place,
        path={name: ids.new(KINDS[name]) for name in made.signature.path},
        body=sample.get("body"),
        token=token,
        key="a-key-of-the-tests" if made.idempotent else None,
        headers={"x-requested-with": "snapforge"},
    )


def test_there_are_routes_of_each_sort() -> None:
    """The parametrised tests below must not be empty."""
    assert len(GUARDED) > 10
    assert len(OWNED) > 3
    assert len(ROUTES) > len(GUARDED)


@pytest.mark.part("ADM-7")
@pytest.mark.parametrize("place", GUARDED)
def test_nobody_is_401(aws: Aws, place: str) -> None:
    """Anonymous and nonsense credentials are turned away."""
    assert _ask(place, None).status == 401
    assert _ask(place, "sf_live_nonsense").status == 401
    assert _ask(place, "a.b.c").status == 401


@pytest.mark.part("ADM-7")
@pytest.mark.parametrize("place", GUARDED)
def test_the_wrong_permission_is_403(aws: Aws, place: str) -> None:
    """All permissions but the needed one do not help."""
    needed = ROUTES[place].permission
    person = member(frozenset(Permission) - {needed})
    answered = _ask(place, person.token)
    assert answered.status == 403
    assert str(needed) in answered.json["detail"]


@pytest.mark.part("ADM-7")
@pytest.mark.parametrize("place", OWNED)
def test_an_absent_id_is_404(aws: Aws, place: str) -> None:
    """With a problem document. Another org's things get the same (test_another_orgs)."""
    answered = _ask(place, member().token)
    assert (answered.status, answered.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.part("API-2")
def test_a_code_that_no_route_declares_is_seen(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """`call` holds every answer of every test against the route's `raises`."""
    monkeypatch.setattr(load("jobs/get_job").handler, "raises", ())
    with pytest.raises(AssertionError, match="get_job answers job_not_found"):
        _ask("jobs/get_job", member().token)


@pytest.mark.parametrize("place", ROUTES)
def test_the_sample_event_is_served(aws: Aws, place: str) -> None:
    """No 5xx for events/<context>/<function>.json, and the route matches."""
    made, event = ROUTES[place], _sample(place)
    assert event["requestContext"]["http"]["method"] == made.method
    assert event["routeKey"] == f"{made.method} {made.path}"
    event["headers"] = event.get("headers", {}) | {"authorization": f"Bearer {own_session().token}"}
    answered = made(event, LambdaContext())
    # A deep health check rightly says 503 where no workflow runs.
    assert answered["statusCode"] < 500 or place == "admin/get_deep_health", answered


@pytest.mark.part("API-2")
@pytest.mark.parametrize("place", [place for place, made in ROUTES.items() if made.signature.body])
@pytest.mark.parametrize("body", ["", "null", "[]", '"x"', "{", '{"unknown": 1}'])
def test_a_bad_body_is_4xx_with_a_code(aws: Aws, place: str, body: str) -> None:
    """Every route that reads a body refuses nonsense with a stable code."""
    answered = call(
        place,
        path={name: ids.new(KINDS[name]) for name in ROUTES[place].signature.path},
        body=body,
        token=member().token,
        key="a-key-of-the-tests",
        headers={"x-requested-with": "snapforge"},
    )
    assert 400 <= answered.status < 500
    assert answered.status not in {401, 403}
    assert answered.json["code"]
