"""The steps that guard every endpoint: the edge's secret, the scope of an idempotency key, the session's rate."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from snapforge.aws import secrets
from snapforge.aws.idempotency import IdempotencyKey, fingerprint
from snapforge.http import Principal, endpoint
from snapforge.http.request import Request
from snapforge.http.steps import idempotency, throttle
from snapforge.kit.errors import RateLimited
from snapforge.kit.permissions import Permission
from snapforge.kit.schema import Schema
from tests.support.http import LambdaContext, event


class Thing(Schema):
    """What the toy endpoints answer."""

    name: str


@endpoint("GET /v1/open", public=True)
def look() -> Thing:
    """Open to all that came through the edge."""
    return Thing(name="seen")


@endpoint("POST /v1/things", permission=Permission.jobs_create, idempotent=True)
def make_thing(principal: Principal, key: IdempotencyKey) -> Thing:
    """Make one."""
    return Thing(name=key.pk)


@endpoint("POST /v1/others/{other_id}", permission=Permission.jobs_create, idempotent=True)
def make_other(principal: Principal, other_id: str, key: IdempotencyKey) -> Thing:
    """Make another."""
    return Thing(name=key.pk)


def person(user: str = "usr_1", org: str = "org_1") -> Principal:
    """Somebody with a session."""
    return Principal(org_id=org, user_id=user, permissions=frozenset(Permission))


@pytest.mark.part("ADM-7")
class TestEdge:
    """Only what CloudFront passed on is served, where an edge is deployed."""

    @pytest.fixture
    def ring(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """The secret's content; a test may change it."""
        content: dict[str, Any] = {"current": "now-secret", "previous": "old-secret"}
        monkeypatch.setenv("ORIGIN_SECRET", "origin")
        monkeypatch.setattr(secrets, "read", lambda name: content if name == "origin" else {})
        return content

    @staticmethod
    def ask(sent: str | None) -> dict[str, Any]:
        """One request with this header."""
        headers = {} if sent is None else {"x-origin-verify": sent}
        return look(event("GET", "/v1/open", headers=headers), LambdaContext())

    @pytest.mark.parametrize("sent", ["now-secret", "old-secret"])
    def test_both_secrets_are_good_while_they_rotate(self, ring: dict[str, Any], sent: str) -> None:
        assert self.ask(sent)["statusCode"] == 200

    @pytest.mark.parametrize("sent", [None, "", "now-secre", "now-secret ", "NOW-SECRET", "now-secretold-secret", "ü"])
    def test_another_an_empty_or_no_secret_is_403(self, ring: dict[str, Any], sent: str | None) -> None:
        answered = self.ask(sent)
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (403, "not_through_edge")

    @pytest.mark.parametrize("previous", ["", None])
    @pytest.mark.parametrize("sent", ["", None, "old-secret"])
    def test_no_previous_secret_lets_nobody_in(
        self, ring: dict[str, Any], previous: str | None, sent: str | None
    ) -> None:
        """Between two rotations: an empty header is not the secret that is not there."""
        ring["previous"] = previous
        assert self.ask(sent)["statusCode"] == 403
        assert self.ask("now-secret")["statusCode"] == 200

    def test_a_ring_without_secrets_lets_nobody_in(self, ring: dict[str, Any]) -> None:
        ring.clear()
        assert self.ask("")["statusCode"] == 403

    @pytest.mark.parametrize("setting", ["", None])
    def test_where_no_edge_is_deployed_all_are_served(
        self, monkeypatch: pytest.MonkeyPatch, setting: str | None
    ) -> None:
        if setting is None:
            monkeypatch.delenv("ORIGIN_SECRET", raising=False)
        else:
            monkeypatch.setenv("ORIGIN_SECRET", setting)
        assert self.ask(None)["statusCode"] == 200


@pytest.mark.part("JOB-3")
class TestIdempotencyScope:
    """The same key is the same piece of work only within one org and one route."""

    @staticmethod
    def key(route: Any = make_thing, *, org: str = "org_1", text: str = "the-same-key", **parts: Any) -> IdempotencyKey:
        """What the step makes of a request."""
        path = route.path.replace("{other_id}", "x")
        request = Request(event(route.method, path, headers={"idempotency-key": text}, **parts), person(org=org))
        idempotency.read_key(route, request)
        found = request.arguments["key"]
        assert isinstance(found, IdempotencyKey)
        return found

    def test_the_same_request_is_the_same_record(self) -> None:
        assert self.key(body={"a": 1}) == self.key(body={"a": 1})

    def test_another_route_org_or_key_is_another_record(self) -> None:
        records = [
            self.key(),
            self.key(make_other),
            self.key(org="org_2"),
            self.key(text="another-key"),
        ]
        assert len({record.pk for record in records}) == 4

    def test_another_body_path_or_method_is_another_fingerprint(self) -> None:
        """Under the same key that is an error, never a replay of something else."""
        asked = [
            ("POST", "/v1/things", b"{}"),
            ("PUT", "/v1/things", b"{}"),
            ("POST", "/v1/other", b"{}"),
            ("POST", "/v1/things", b"{ }"),
            ("POST", "/v1/thing", b"s{}"),
        ]
        assert len({fingerprint(*one) for one in asked}) == len(asked)


@pytest.mark.part("ID-9")
class TestThrottle:
    """Sessions, counted in the process."""

    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        throttle._counts.clear()
        self.now = 6000.0 * throttle.WINDOW_SECONDS
        monkeypatch.setattr(throttle, "time", SimpleNamespace(time=lambda: self.now))
        yield
        throttle._counts.clear()

    def count(self, principal: Principal | None) -> dict[str, str]:
        """One request; the headers that it leaves. RateLimited."""
        request = Request(event("GET", "/v1/open"), principal)
        throttle.count_session(look, request)
        return request.response_headers

    def test_exactly_the_limit_passes(self) -> None:
        remaining = [self.count(person())["RateLimit-Remaining"] for _ in range(throttle.LIMIT)]
        assert remaining == [str(left) for left in range(throttle.LIMIT - 1, -1, -1)]
        with pytest.raises(RateLimited) as refused:
            self.count(person())
        assert refused.value.headers["RateLimit-Remaining"] == "0"
        assert refused.value.headers["RateLimit-Limit"] == str(throttle.LIMIT)

    def test_retry_after_is_the_rest_of_the_window(self) -> None:
        self.now += throttle.WINDOW_SECONDS - 20
        for _ in range(throttle.LIMIT):
            self.count(person())
        with pytest.raises(RateLimited) as refused:
            self.count(person())
        assert 20 <= int(refused.value.headers["Retry-After"]) <= 21

    def test_a_new_window_counts_anew(self) -> None:
        for _ in range(throttle.LIMIT):
            self.count(person())
        self.now += throttle.WINDOW_SECONDS
        assert self.count(person())["RateLimit-Remaining"] == str(throttle.LIMIT - 1)

    def test_users_are_counted_apart_and_keys_not_at_all(self) -> None:
        self.count(person("usr_1"))
        assert self.count(person("usr_2"))["RateLimit-Remaining"] == str(throttle.LIMIT - 1)
        by_key = Principal(org_id="org_1", user_id="usr_1", key_id="key_1", permissions=frozenset())
        assert self.count(by_key) == {}
        assert self.count(None) == {}
        assert self.count(person("usr_1"))["RateLimit-Remaining"] == str(throttle.LIMIT - 2)

    def test_the_counts_do_not_grow_without_end(self) -> None:
        for number in range(throttle._KEPT + 2):
            self.count(person(f"usr_{number}"))
        assert len(throttle._counts) <= throttle._KEPT + 1
