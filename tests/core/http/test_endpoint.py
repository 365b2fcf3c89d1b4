"""The frame around every endpoint."""

import json
from typing import Annotated, Any

import pytest

from snapforge.aws.idempotency import IdempotencyKey, Replay
from snapforge.http import Body, ClientInfo, Query, Response, accepted, created, endpoint, respond
from snapforge.http.endpoint import Endpoint
from snapforge.http.steps import arguments, throttle
from snapforge.identity.service import keys, sessions
from snapforge.kit.errors import Conflict, RateLimited, Unauthenticated
from snapforge.kit.limits import Allowance
from snapforge.kit.permissions import Permission, Principal
from snapforge.kit.schema import Schema
from tests.support.http import LambdaContext, event

MEMBER = Principal(
    org_id="org_1", user_id="usr_1", permissions=frozenset({Permission.jobs_read, Permission.jobs_create})
)


class Thing(Schema):
    """A thing."""

    name: str
    size: int = 1


class Filter(Schema):
    """A filter."""

    limit: int = 20
    tag: list[str] = []


class _Identity:
    """Knows one session, one key and one used-up key."""

    def principal_of_session(self, token: str) -> Principal:
        if token != "good":
            raise Unauthenticated("This token is not valid.")
        return MEMBER

    def principal_of_key(self, key: str) -> tuple[Principal, Allowance]:
        if "spent" in key:
            raise RateLimited("used up", headers=Allowance(60, 0, 9, exceeded=True).headers())
        return Principal(org_id="org_1", key_id="key_1", permissions=frozenset({Permission.jobs_read})), Allowance(
            60, 41, 9
        )


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _Identity()
    monkeypatch.setattr(sessions, "principal_of_session", known.principal_of_session)
    monkeypatch.setattr(keys, "principal_of_key", known.principal_of_key)
    throttle._counts.clear()


def serve(handler: Endpoint, **event_parts: Any) -> dict[str, Any]:
    made = event(handler.method, event_parts.pop("path", handler.path), **event_parts)
    return handler(made, LambdaContext())


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} | more


@endpoint("GET /v1/things/{thing_id}", permission=Permission.jobs_read)
def get_thing(principal: Principal, thing_id: str) -> Thing:
    """One thing."""
    return Thing(name=f"{principal.org_id}/{thing_id}")


@endpoint("POST /v1/things", permission=Permission.jobs_create, idempotent=True, status=201)
def make_thing(principal: Principal, body: Body[Thing], key: IdempotencyKey) -> Annotated[Response, Thing]:
    """Make one."""
    if body.name == "replayed":
        raise Replay(201, '{"name":"first"}', {"location": "/v1/things/1"})
    if body.name == "conflict":
        raise Conflict("It is there already.", refunded=2)
    if body.name == "broken":
        raise RuntimeError("a secret detail")
    return created(Thing(name=key.fingerprint[:4], size=body.size), at="/v1/things/1")


@endpoint("GET /v1/public", public=True)
def look(query: Query[Filter], client: ClientInfo) -> Thing:
    """Open to all."""
    return Thing(name=",".join([client.address, *query.tag]), size=query.limit)


class TestAuthentication:
    """Who asks."""

    @pytest.mark.part("API-2")
    def test_nobody_is_401_with_a_fix(self) -> None:
        answered = serve(get_thing)
        assert answered["statusCode"] == 401
        assert answered["headers"]["content-type"] == "application/problem+json"
        assert answered["headers"]["www-authenticate"].startswith("Bearer")
        assert "Bearer" in json.loads(answered["body"])["fix"]

    @pytest.mark.parametrize("header", ["", "Bearer", "Basic good", "Bearer bad", "good"])
    def test_a_credential_that_is_none_is_401(self, header: str) -> None:
        assert serve(get_thing, headers={"authorization": header})["statusCode"] == 401

    def test_a_session_is_served_and_counted(self) -> None:
        answered = serve(get_thing, headers=bearer("good"), path_parameters={"thing_id": "7"})
        assert answered["statusCode"] == 200
        assert json.loads(answered["body"]) == {"name": "org_1/7", "size": 1}
        assert answered["headers"]["ratelimit-remaining"] == str(throttle.LIMIT - 1)

    @pytest.mark.part("ID-9")
    def test_a_session_past_its_limit_is_429_with_retry_after(self) -> None:
        for _ in range(throttle.LIMIT):
            serve(get_thing, headers=bearer("good"), path_parameters={"thing_id": "7"})
        answered = serve(get_thing, headers=bearer("good"), path_parameters={"thing_id": "7"})
        assert answered["statusCode"] == 429
        assert int(answered["headers"]["retry-after"]) >= 1

    @pytest.mark.part("ID-9")
    def test_a_key_carries_its_allowance_and_a_spent_one_is_429(self) -> None:
        good = serve(get_thing, headers=bearer("sf_live_x"), path_parameters={"thing_id": "7"})
        assert (good["statusCode"], good["headers"]["ratelimit-remaining"]) == (200, "41")
        spent = serve(get_thing, headers=bearer("sf_live_spent"), path_parameters={"thing_id": "7"})
        assert (spent["statusCode"], spent["headers"]["retry-after"]) == (429, "9")

    def test_a_key_without_the_permission_is_403(self) -> None:
        answered = serve(make_thing, headers=bearer("sf_live_x"), body={"name": "a"})
        assert answered["statusCode"] == 403
        assert "jobs:create" in json.loads(answered["body"])["detail"]

    def test_an_endpoint_must_say_who_may_come(self) -> None:
        with pytest.raises(ValueError, match="public=True"):
            endpoint("GET /v1/forgotten")
        with pytest.raises(ValueError, match="either"):
            endpoint("GET /v1/both", permission=Permission.jobs_read, public=True)


class TestArguments:
    """Path, query and body."""

    def test_a_query_is_typed_and_lists_are_repeated_names(self) -> None:
        answered = serve(look, query={"limit": "5", "tag": ["a", "b"]})
        assert json.loads(answered["body"]) == {"name": "203.0.113.7,a,b", "size": 5}

    def test_the_edge_tells_the_viewers_address(self) -> None:
        answered = serve(look, headers={"x-viewer-ip": "198.51.100.9"})
        assert json.loads(answered["body"])["name"] == "198.51.100.9"

    @pytest.mark.parametrize("query", [{"limit": "many"}, {"unknown": "1"}])
    def test_a_bad_query_is_400(self, query: dict[str, str]) -> None:
        answered = serve(look, query=query)
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (400, "invalid_query")

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ("{", 400, "malformed_json"),
            ("", 400, "malformed_json"),
            ("[]", 422, "invalid_payload"),
            ('{"name": 3}', 422, "invalid_payload"),
            ('{"name": "a", "nmae": "b"}', 422, "invalid_payload"),
            ('{"name": "' + "x" * 300_000 + '"}', 413, "body_too_large"),
            ('{"name": "\\ud800"}', 400, "malformed_json"),
        ],
    )
    @pytest.mark.part("API-2")
    def test_a_bad_body_has_a_stable_code(self, body: str, status: int, code: str) -> None:
        answered = serve(make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body=body)
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (status, code)

    def test_errors_point_at_the_member_and_never_repeat_the_input(self) -> None:
        sent = '{"name": "secret-value", "size": "secret-size"}'
        answered = serve(make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body=sent)
        assert json.loads(answered["body"])["errors"][0]["pointer"] == "/size"
        assert "secret" not in answered["body"]

    @pytest.mark.parametrize("value", ["", "x" * 65, "a/b", "job_\n", "%00", "ä"])
    def test_a_path_part_that_can_be_no_id_is_404(self, value: str) -> None:
        """DynamoDB would answer an error for an empty or an overlong key."""

        @endpoint("GET /v1/things/{thing_id}", public=True)
        def get_thing(thing_id: str) -> None:
            """Never reached."""
            raise AssertionError(thing_id)

        asked = event("GET", f"/v1/things/{value}", path_parameters={"thing_id": value})
        answered = get_thing(asked, LambdaContext())
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        ("location", "sent", "pointer"),
        [
            ((), 3, ""),
            (("name",), {}, "/name"),
            (("image", "aspect"), {"aspect": "x"}, "/aspect"),
            (("image", "prompt"), {"kind": "image"}, "/prompt"),
            (("parts", 1, "etag"), {"parts": [{}, {}]}, "/parts/1/etag"),
            (("a/b~c",), {"a/b~c": 1}, "/a~1b~0c"),
        ],
    )
    def test_pointers_lead_into_what_was_sent(self, location: tuple[int | str, ...], sent: Any, pointer: str) -> None:
        """By RFC 6901; the branch of a union that Pydantic names is no member."""
        assert arguments._pointer(location, sent) == pointer

    def test_another_media_type_is_415(self) -> None:
        headers = bearer("good", **{"idempotency-key": "12345678", "content-type": "text/xml"})
        assert serve(make_thing, headers=headers, body="<a/>")["statusCode"] == 415

    def test_a_handler_with_an_unfilled_parameter_is_a_programming_error(self) -> None:
        @endpoint("GET /v1/odd", public=True)
        def odd(nobody_fills_this: int) -> None:
            """Odd."""

        with pytest.raises(TypeError, match="nobody_fills_this"):
            _ = odd.signature


class TestIdempotency:
    """The key."""

    @pytest.mark.parametrize("key", ["", "short", "x" * 129, "with space"])
    def test_a_missing_or_odd_key_is_400(self, key: str) -> None:
        answered = serve(make_thing, headers=bearer("good", **{"idempotency-key": key}), body={"name": "a"})
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (400, "idempotency_key_needed")

    @pytest.mark.part("JOB-3")
    def test_a_replay_is_the_first_answer_marked(self) -> None:
        answered = serve(
            make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body={"name": "replayed"}
        )
        assert (answered["statusCode"], answered["body"]) == (201, '{"name":"first"}')
        assert answered["headers"]["idempotency-replayed"] == "true"
        assert answered["headers"]["location"] == "/v1/things/1"

    def test_the_fingerprint_changes_with_the_body(self) -> None:
        names = {
            serve(
                make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body={"name": "a", "size": size}
            )["body"].split('"')[3]
            for size in range(8)
        }
        assert len(names) == 8


class TestAnswers:
    """What goes out."""

    def test_created_tells_where(self) -> None:
        answered = serve(make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body={"name": "a"})
        assert (answered["statusCode"], answered["headers"]["location"]) == (201, "/v1/things/1")
        assert answered["headers"]["cache-control"] == "no-store"

    @pytest.mark.part("JOB-5")
    def test_an_unchanged_thing_is_304_for_its_etag(self) -> None:
        first = serve(get_thing, headers=bearer("good"), path_parameters={"thing_id": "7"})
        headers = bearer("good", **{"if-none-match": first["headers"]["etag"]})
        again = serve(get_thing, headers=headers, path_parameters={"thing_id": "7"})
        assert (again["statusCode"], again["body"]) == (304, "")

    def test_a_business_error_says_what_was_refunded(self) -> None:
        answered = serve(
            make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body={"name": "conflict"}
        )
        assert answered["statusCode"] == 409
        assert json.loads(answered["body"])["refunded"] == 2

    @pytest.mark.part("ADM-5")
    def test_a_bug_is_a_500_without_its_detail_and_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        answered = serve(make_thing, headers=bearer("good", **{"idempotency-key": "12345678"}), body={"name": "broken"})
        assert answered["statusCode"] == 500
        assert "secret" not in answered["body"]
        assert json.loads(answered["body"])["request_id"] == "test-request"
        assert "a secret detail" in caplog.text

    @pytest.mark.part("ADM-5")
    def test_each_request_writes_one_metric_line_without_ids_as_dimensions(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        serve(get_thing, headers=bearer("good"), path_parameters={"thing_id": "7"})
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        assert len(lines) == 1
        assert lines[0]["Requests"] == [1.0]
        assert "org_1" not in json.dumps(lines[0])

    def test_replies_keep_their_status_headers_and_cookies(self) -> None:
        @endpoint("POST /v1/odd", public=True)
        def odd() -> Annotated[Response, Thing]:
            """Odd."""
            return respond(Thing(name="x"), headers={"X-Odd": "1"}, cookies=["a=b; Secure"])

        answered = serve(odd)
        assert (answered["headers"]["x-odd"], answered["cookies"]) == ("1", ["a=b; Secure"])
        assert accepted(Thing(name="x")).status == 202
        assert respond(None).status == 204
