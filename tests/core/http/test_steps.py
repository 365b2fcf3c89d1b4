"""Steps of a request, to the letter: the edge's secret, the rate of a session, the scope of an idempotency key."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from snapforge.aws import secrets
from snapforge.aws.idempotency import IdempotencyKey, fingerprint
from snapforge.http import Body, endpoint, respond
from snapforge.http.endpoint import Endpoint
from snapforge.http.response import Response
from snapforge.http.steps import throttle
from snapforge.identity.service import keys, sessions
from snapforge.kit.limits import Allowance
from snapforge.kit.permissions import Permission, Principal
from snapforge.kit.schema import Schema
from tests.support.http import LambdaContext, event


class Thing(Schema):
    """A thing."""

    name: str


@endpoint("GET /v1/open", public=True)
def look() -> Thing:
    """Open to all that come through the edge."""
    return Thing(name="open")


@endpoint("GET /v1/guarded", permission=Permission.jobs_read)
def look_closer() -> Thing:
    """For somebody."""
    return Thing(name="guarded")


KEYS: list[IdempotencyKey] = []
"""What the handlers below were given."""


@endpoint("POST /v1/things", permission=Permission.jobs_create, idempotent=True)
def make(body: Body[Thing], key: IdempotencyKey) -> Response:
    """Make a thing."""
    KEYS.append(key)
    return respond(None)


@endpoint("POST /v1/things/{thing_id}/copies", permission=Permission.jobs_create, idempotent=True)
def copy(thing_id: str, body: Body[Thing], key: IdempotencyKey) -> Response:
    """Copy one."""
    KEYS.append(key)
    return respond(None)


@endpoint("PUT /v1/things", permission=Permission.jobs_create, idempotent=True)
def replace(body: Body[Thing], key: IdempotencyKey) -> Response:
    """Replace all of them."""
    KEYS.append(key)
    return respond(None)


@pytest.fixture(autouse=True)
def _people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is the name of its user, then of the org (org_1 where it names none); keys are of org_1."""
    may = frozenset({Permission.jobs_read, Permission.jobs_create})

    def of_session(token: str) -> Principal:
        user, _, org = token.partition(".")
        return Principal(org_id=org or "org_1", user_id=user, permissions=may)

    def of_key(key: str) -> tuple[Principal, Allowance]:
        return Principal(org_id="org_1", key_id=key, permissions=may), Allowance(60, 41, 9)

    monkeypatch.setattr(sessions, "principal_of_session", of_session)
    monkeypatch.setattr(keys, "principal_of_key", of_key)


def serve(
    handler: Endpoint, token: str | None = None, *, headers: dict[str, str] | None = None, **parts: Any
) -> dict[str, Any]:
    sent = (headers or {}) | ({"authorization": f"Bearer {token}"} if token else {})
    return handler(event(handler.method, parts.pop("path", handler.path), headers=sent, **parts), LambdaContext())


@pytest.mark.part("ADM-7")
class TestEdge:
    """Where CloudFront stands before the API, nobody goes around it."""

    @pytest.fixture
    def ring(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
        """The secret that ORIGIN_SECRET names, as Secrets Manager holds it."""
        held: dict[str, str | None] = {"current": "today", "previous": None}

        def read(name: str) -> dict[str, str | None]:
            assert name == "origin"
            return held

        monkeypatch.setenv("ORIGIN_SECRET", "origin")
        monkeypatch.setattr(secrets, "read", read)
        return held

    def test_the_current_secret_passes(self, ring: dict[str, str | None]) -> None:
        assert serve(look, headers={"x-origin-verify": "today"})["statusCode"] == 200

    @pytest.mark.parametrize("sent", ["wrong", "toda", "today ", "TODAY", "today,yesterday", "", "None", "é"])
    @pytest.mark.parametrize("previous", [None, "", "yesterday"])
    def test_another_text_is_403(self, ring: dict[str, str | None], sent: str, previous: str | None) -> None:
        """An empty `previous`, as a rotation leaves it, is not the secret of those who send nothing."""
        ring["previous"] = previous
        answered = serve(look, headers={"x-origin-verify": sent})
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (403, "not_through_edge")

    @pytest.mark.parametrize("held", [{}, {"previous": ""}, {"current": "", "previous": ""}])
    def test_no_header_is_403(self, ring: dict[str, str | None], held: dict[str, str | None]) -> None:
        """Also where the secret is not filled in yet: then nobody passes."""
        if "current" in held:
            ring.clear()
        ring |= held
        answered = serve(look)
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (403, "not_through_edge")

    def test_both_secrets_pass_while_rotating(self, ring: dict[str, str | None]) -> None:
        ring |= {"current": "tomorrow", "previous": "today"}
        assert [serve(look, headers={"x-origin-verify": sent})["statusCode"] for sent in ("tomorrow", "today")] == [
            200,
            200,
        ]

    def test_a_secret_that_has_left_the_ring_is_403(self, ring: dict[str, str | None]) -> None:
        ring |= {"current": "tomorrow", "previous": None}
        assert serve(look, headers={"x-origin-verify": "today"})["statusCode"] == 403

    def test_it_is_asked_before_who_comes(self, ring: dict[str, str | None]) -> None:
        """A stranger learns nothing about tokens or permissions, and a good token alone does not help."""
        assert serve(look_closer)["statusCode"] == 403
        assert serve(look_closer, "ada")["statusCode"] == 403
        assert serve(look_closer, "ada", headers={"x-origin-verify": "today"})["statusCode"] == 200

    @pytest.mark.parametrize("setting", [None, ""])
    def test_without_an_edge_all_pass(self, monkeypatch: pytest.MonkeyPatch, setting: str | None) -> None:
        """As on a developer's machine: no secret is read."""

        def unread(name: str) -> dict[str, str]:
            raise AssertionError(name)

        monkeypatch.setattr(secrets, "read", unread)
        monkeypatch.delenv("ORIGIN_SECRET", raising=False)
        if setting is not None:
            monkeypatch.setenv("ORIGIN_SECRET", setting)
        for headers in ({}, {"x-origin-verify": "wrong"}):
            assert serve(look, headers=headers)["statusCode"] == 200


@pytest.mark.part("ID-9")
class TestThrottle:
    """The rate of a session, counted by the process."""

    @pytest.fixture(autouse=True)
    def at(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
        """Sets the clock; it stands at the start of a window, with nothing counted."""

        def put(seconds: float) -> None:
            monkeypatch.setattr(throttle, "time", SimpleNamespace(time=lambda: 1_200_000.0 + seconds))

        monkeypatch.setattr(throttle, "_counts", {})
        put(0)
        return put

    def test_exactly_the_limit_passes(self) -> None:
        """120 requests are served and counted down to 0; the 121st is not."""
        answers = [serve(look_closer, "ada") for _ in range(120)]
        assert {answered["statusCode"] for answered in answers} == {200}
        assert [answered["headers"]["ratelimit-remaining"] for answered in answers] == [
            str(left) for left in range(119, -1, -1)
        ]
        assert {answered["headers"]["ratelimit-limit"] for answered in answers} == {"120"}
        assert all("retry-after" not in answered["headers"] for answered in answers)
        for _ in range(2):
            over = serve(look_closer, "ada")
            assert (over["statusCode"], json.loads(over["body"])["code"]) == (429, "rate_limited")
            assert (over["headers"]["ratelimit-limit"], over["headers"]["ratelimit-remaining"]) == ("120", "0")

    @pytest.mark.parametrize(("seconds", "wait"), [(0, "61"), (20.5, "40"), (59, "2"), (59.9, "1")])
    def test_the_wait_ends_in_the_next_window(self, at: Callable[[float], None], seconds: float, wait: str) -> None:
        """Whoever waits as long as Retry-After says is served; never 0 seconds."""
        at(seconds)
        throttle._counts["ada", 20_000] = 120
        over = serve(look_closer, "ada")
        assert (over["statusCode"], over["headers"]["retry-after"], over["headers"]["ratelimit-reset"]) == (
            429,
            wait,
            wait,
        )
        at(seconds + int(wait))
        assert serve(look_closer, "ada")["headers"]["ratelimit-remaining"] == "119"

    def test_a_new_window_counts_anew(self, at: Callable[[float], None]) -> None:
        throttle._counts["ada", 20_000] = 120
        at(59.999)
        assert serve(look_closer, "ada")["statusCode"] == 429
        at(60)
        again = serve(look_closer, "ada")
        assert (again["statusCode"], again["headers"]["ratelimit-remaining"]) == (200, "119")

    def test_users_are_counted_apart(self) -> None:
        """Also two of one org; one user in two orgs is one."""
        throttle._counts["ada", 20_000] = 120
        assert serve(look_closer, "ada.org_2")["statusCode"] == 429
        assert serve(look_closer, "bob")["headers"]["ratelimit-remaining"] == "119"

    def test_keys_and_open_routes_are_not_counted_here(self) -> None:
        """A key's own exact count goes out as identity gave it, however many requests came before."""
        throttle._counts[None, 20_000] = throttle._counts["sf_live_x", 20_000] = 500  # type: ignore[index]
        answered = serve(look_closer, "sf_live_x")
        assert (answered["statusCode"], answered["headers"]["ratelimit-remaining"]) == (200, "41")
        assert "ratelimit-limit" not in serve(look, "ada")["headers"]
        assert throttle._counts == {(None, 20_000): 500, ("sf_live_x", 20_000): 500}

    def test_a_refused_request_is_counted_and_told_as_well(self) -> None:
        missing = serve(make, "ada", body={"name": "x"})
        assert (missing["statusCode"], missing["headers"]["ratelimit-remaining"]) == (400, "119")

    def test_what_it_remembers_stays_small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It starts over rather than grow for ever, and never within what it may keep."""
        monkeypatch.setattr(throttle, "_KEPT", 3)
        for user in ("a", "b", "c", "d"):
            serve(look_closer, user)
        assert len(throttle._counts) == 4
        serve(look_closer, "e")
        assert throttle._counts == {("e", 20_000): 1}

    @pytest.mark.parametrize(("users", "kept"), [(10_000, 10_001), (10_001, 1)])
    def test_ten_thousand_users_are_told_apart(self, users: int, kept: int) -> None:
        throttle._counts |= {(f"user-{number}", 20_000): 1 for number in range(users)}
        serve(look_closer, "ada")
        assert len(throttle._counts) == kept


@pytest.mark.part("JOB-3")
class TestIdempotencyScope:
    """Which requests are one piece of work."""

    def key_of(self, handler: Endpoint, token: str = "ada", **parts: Any) -> IdempotencyKey:
        """What the handler gets for a request with always the same header."""
        KEYS.clear()
        headers = {"idempotency-key": parts.pop("key", "the-same-key")}
        answered = serve(handler, token, headers=headers, body=parts.pop("body", {"name": "x"}), **parts)
        assert answered["statusCode"] == 204, answered
        return KEYS[0]

    def test_a_repeated_request_is_the_same_work(self) -> None:
        """Whoever of the org repeats it, with a session or a key."""
        first = self.key_of(make)
        assert self.key_of(make, "bob") == first == self.key_of(make, "sf_live_x")

    def test_its_parts_are_named(self) -> None:
        first = self.key_of(make, "ada.org_7")
        assert (first.org_id, first.route, first.key) == ("org_7", "POST /v1/things", "the-same-key")

    def test_another_org_route_method_or_key_is_other_work(self) -> None:
        """Of records with different keys in the table neither replays the other."""
        copied: dict[str, Any] = {"path": "/v1/things/1/copies", "path_parameters": {"thing_id": "1"}}
        keys = [
            self.key_of(make),
            self.key_of(make, "ada.org_2"),
            self.key_of(copy, **copied),
            self.key_of(replace),
            self.key_of(make, key="another-key"),
        ]
        assert len({key.pk for key in keys}) == len(keys)

    def test_the_record_lies_with_its_org(self) -> None:
        """The client's text is hashed, so it can neither leave its org nor look like another route's."""
        assert self.key_of(make, "ada.org_7").pk.startswith("idem#org_7#")
        assert len(self.key_of(make, key="x" * 128).pk) < 80

    def test_the_same_key_for_another_method_path_or_body_is_seen(self) -> None:
        """Within one record's scope the fingerprint tells requests apart: KeyReused then, not a replay."""
        one, other = (
            self.key_of(copy, path=f"/v1/things/{number}/copies", path_parameters={"thing_id": str(number)})
            for number in (1, 2)
        )
        assert one.pk == other.pk
        assert one.fingerprint != other.fingerprint
        prints = {self.key_of(make).fingerprint, self.key_of(make, body={"name": "y"}).fingerprint}
        prints.add(self.key_of(replace).fingerprint)
        assert len(prints) == 3

    def test_parts_cannot_run_into_each_other(self) -> None:
        """The end of a path moved to the start of the body is another request."""
        split = [("POST", "/v1/a", b"b"), ("POST", "/v1/ab", b""), ("POS", "T/v1/a", b"b")]
        assert len({fingerprint(*parts) for parts in split}) == 3

    @pytest.mark.parametrize(("key", "status"), [("x" * 7, 400), ("x" * 8, 204), ("x" * 128, 204), ("x" * 129, 400)])
    def test_a_key_has_8_to_128_characters(self, key: str, status: int) -> None:
        assert serve(make, "ada", headers={"idempotency-key": key}, body={"name": "x"})["statusCode"] == status
