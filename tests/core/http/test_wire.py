"""What goes over the wire, to the letter: how events are read, and every header of every sort of answer."""

import base64
import json
from typing import Annotated, Any

import pytest
from pydantic import field_validator

from snapforge.aws.idempotency import Replay
from snapforge.http import Body, ClientInfo, Query, Response, accepted, created, endpoint, respond
from snapforge.http.request import Request
from snapforge.identity.service import sessions
from snapforge.kit import ids
from snapforge.kit.errors import Conflict, NotFound, RateLimited
from snapforge.kit.permissions import Permission, Principal
from snapforge.kit.schema import Schema
from tests.support.http import LambdaContext, event

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Thing(Schema):
    """A thing."""

    name: str
    note: str | None = None

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if name == "nameless":
            raise ValueError("a thing has a name")
        return name


class Filter(Schema):
    """A filter."""

    limit: int | None = None
    tag: list[str] = []


@endpoint("GET /v1/things/{thing_id}", public=True)
def get(thing_id: str) -> Annotated[Response, Thing] | Thing | None:
    """As its id says."""
    if thing_id == "waiting":
        return accepted(Thing(name="waiting"))
    if thing_id == "nothing":
        return None
    if thing_id == "broken":
        raise RuntimeError("broken")
    if thing_id == "conflict":
        raise Conflict("no", charged=0, refunded=0)
    if thing_id == "limited":
        raise RateLimited("no", headers={"Retry-After": "7"})
    if thing_id == "replayed":
        raise Replay(201, '{"name":"first"}', {"location": "/v1/things/1"})
    return Thing(name=thing_id)


@endpoint("POST /v1/things", public=True, status=201)
def post(body: Body[Thing]) -> Thing:
    """The same thing again."""
    return body


@endpoint("POST /v1/checks", public=True)
def check(body: Body[Thing]) -> Thing:
    """200, though it is no GET."""
    return body


@endpoint("GET /v1/looks", public=True)
def look(query: Query[Filter], client: ClientInfo) -> Thing:
    """What was asked, and by whom."""
    told = {"tags": query.tag, "agent": client.user_agent, "cookies": client.cookies, "address": client.address}
    return Thing(name=json.dumps(told))


@endpoint("POST /v1/logout", public=True)
def leave() -> Response:
    """No content, but a cookie."""
    return respond(None, cookies=["a=; Max-Age=0"])


@endpoint("GET /v1/guarded", permission=Permission.jobs_read)
def guarded(principal: Principal) -> Thing:
    """For members."""
    return Thing(name=principal.org_id)


def got(thing_id: str, **headers: str) -> dict[str, Any]:
    asked = event("GET", f"/v1/things/{thing_id}", path_parameters={"thing_id": thing_id}, headers=headers)
    return get(asked, LambdaContext())


def posted(body: Any, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return post(event("POST", "/v1/things", body=body, headers=named), LambdaContext())


def seen(raw_query: str = "", **changes: Any) -> dict[str, Any]:
    """What `look` saw of an event."""
    asked = event("GET", "/v1/looks") | {"rawQueryString": raw_query} | changes
    answered = look(asked, LambdaContext())
    assert answered["statusCode"] == 200, answered
    told: dict[str, Any] = json.loads(json.loads(answered["body"])["name"])
    return told


@pytest.mark.part("API-2")
class TestHeaders:
    """Of each sort of answer."""

    @pytest.mark.parametrize(
        ("thing_id", "status", "media_type", "caching"),
        [
            ("plain", 200, "application/json", "private, no-cache"),
            ("waiting", 202, "application/json", "no-store"),
            ("nothing", 204, None, "no-store"),
            ("replayed", 201, "application/json", "no-store"),
            ("conflict", 409, "application/problem+json", "no-store"),
            ("limited", 429, "application/problem+json", "no-store"),
            ("broken", 500, "application/problem+json", "no-store"),
        ],
    )
    def test_every_answer_is_safe(self, thing_id: str, status: int, media_type: str | None, caching: str) -> None:
        """Nothing is sniffed, framed or kept by a cache between; only a state that is read may be asked about again."""
        answered = got(thing_id)
        headers = answered["headers"]
        assert answered["statusCode"] == status
        assert {name: headers[name] for name in SAFE} == SAFE
        assert (headers.get("content-type"), headers["cache-control"]) == (media_type, caching)
        assert ("etag" in headers) == (status == 200)
        assert answered["isBase64Encoded"] is False
        assert (answered["body"] == "") == (status == 204)
        assert all(name == name.lower() for name in headers)

    def test_what_is_made_has_no_etag(self) -> None:
        answered = posted({"name": "x"})
        assert (answered["statusCode"], answered["headers"]["cache-control"]) == (201, "no-store")
        assert "etag" not in answered["headers"]
        checked = check(event("POST", "/v1/checks", body={"name": "x"}), LambdaContext())
        assert (checked["statusCode"], checked["headers"]["cache-control"]) == (200, "no-store")
        assert "etag" not in checked["headers"]

    def test_a_part_of_an_etag_is_another_one(self) -> None:
        part = got("one")["headers"]["etag"][:5] + '"'
        assert got("one", **{"if-none-match": part})["statusCode"] == 200

    def test_no_content_has_no_type_and_keeps_its_cookies(self) -> None:
        answered = leave(event("POST", "/v1/logout"), LambdaContext())
        assert (answered["statusCode"], answered["body"], answered["cookies"]) == (204, "", ["a=; Max-Age=0"])
        assert "content-type" not in answered["headers"]

    @pytest.mark.parametrize(("header", "status"), [("%s", 304), ('"x", %s', 304), ("W/%s", 304), ('"x"', 200)])
    def test_only_the_same_state_is_304(self, header: str, status: int) -> None:
        """Its answer has the ETag, no type and no body; another state of the same length is sent."""
        first = got("one")
        again = got("one", **{"if-none-match": header.replace("%s", first["headers"]["etag"])})
        assert (again["statusCode"], again["body"]) == (status, "" if status == 304 else first["body"])
        assert again["headers"]["etag"] == first["headers"]["etag"]
        assert ("content-type" in again["headers"]) == (status == 200)
        assert again["headers"]["cache-control"] == "private, no-cache"
        other = got("two", **{"if-none-match": first["headers"]["etag"]})
        assert other["statusCode"] == 200
        assert other["headers"]["etag"] != first["headers"]["etag"]

    def test_a_state_keeps_its_etag_across_releases(self) -> None:
        """Or every poller would be sent everything anew after each."""
        assert got("plain")["headers"]["etag"] == '"2756a557b4acbe939c3a"'

    @pytest.mark.parametrize(
        ("made", "status"),
        [
            (respond(None), 204),
            (respond(Thing(name="x")), 200),
            (respond(Thing(name="x"), status=203), 203),
            (respond(None, status=205), 205),
            (Response(Thing(name="x")), 200),
            (created(Thing(name="x"), at="/v1/things/x"), 201),
            (accepted(Thing(name="x")), 202),
        ],
    )
    def test_a_response_has_the_usual_status_of_its_sort_unless_another_is_named(
        self, made: Response, status: int
    ) -> None:
        assert made.status == status

    def test_only_where_there_is_an_address_is_it_told(self) -> None:
        assert accepted(Thing(name="x")).headers == {}
        assert accepted(Thing(name="x"), at="/v1/x").headers == created(Thing(name="x"), at="/v1/x").headers
        assert created(Thing(name="x"), at="/v1/x").headers == {"location": "/v1/x"}

    def test_members_without_a_value_are_left_out(self) -> None:
        assert got("plain")["body"] == '{"name":"plain"}'

    @pytest.mark.parametrize(
        ("thing_id", "code", "retryable"),
        [("conflict", "conflict", False), ("limited", "rate_limited", True), ("broken", "internal_error", True)],
    )
    def test_a_problem_names_its_type_and_its_address(self, thing_id: str, code: str, retryable: bool) -> None:
        document = json.loads(got(thing_id)["body"])
        assert (document["type"], document["code"]) == (f"/docs/#{code}", code)
        assert (document["instance"], document["retryable"]) == (f"/v1/things/{thing_id}", retryable)

    def test_no_credits_are_a_number_as_well(self) -> None:
        """`charged` 0 is news; absent would be no answer."""
        document = json.loads(got("conflict")["body"])
        assert (document["charged"], document["refunded"]) == (0, 0)
        assert "charged" not in json.loads(got("limited")["body"])

    def test_a_problems_headers_go_out(self) -> None:
        assert got("limited")["headers"]["retry-after"] == "7"

    @pytest.mark.parametrize(("thing_id", "errors"), [("broken", 1), ("conflict", 0), ("plain", 0)])
    def test_only_faults_of_ours_are_counted_as_such(
        self, thing_id: str, errors: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        got(thing_id)
        (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        assert (line["ServerErrors"], line["Requests"]) == ([float(errors)], [1.0])

    @pytest.mark.part("ADM-7")
    def test_who_must_say_who_they_are_is_told_how(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The scheme's name is read in any case, as RFC 9110 has it."""
        may = frozenset({Permission.jobs_read})
        monkeypatch.setattr(sessions, "principal_of_session", lambda _: Principal("org_1", may, user_id="usr_1"))
        refused = guarded(event("GET", "/v1/guarded"), LambdaContext())
        assert refused["headers"]["www-authenticate"] == 'Bearer realm="snapforge"'
        for scheme in ("Bearer", "bearer", "BEARER"):
            asked = event("GET", "/v1/guarded", headers={"authorization": f"{scheme} good"})
            assert guarded(asked, LambdaContext())["statusCode"] == 200


@pytest.mark.part("API-2")
class TestReading:
    """API Gateway's event."""

    def test_an_encoded_body_is_decoded(self) -> None:
        body = '{"name": "Zoë"}'
        asked = event("POST", "/v1/things", body=base64.b64encode(body.encode()).decode()) | {"isBase64Encoded": True}
        assert json.loads(post(asked, LambdaContext())["body"]) == {"name": "Zoë"}

    @pytest.mark.parametrize(
        ("query", "tags"),
        [("", []), ("tag=a&tag=b", ["a", "b"]), ("tag=a&tag=b&tag=c", ["a", "b", "c"]), ("tag=&tag=b", ["", "b"])],
    )
    def test_a_name_may_stand_more_than_once(self, query: str, tags: list[str]) -> None:
        """In order, an empty value among them."""
        assert seen(query)["tags"] == tags

    @pytest.mark.parametrize("query", ["limit=", "limit=1&limit=2"])
    def test_a_single_value_that_is_empty_or_doubled_is_400(self, query: str) -> None:
        answered = look(event("GET", "/v1/looks") | {"rawQueryString": query}, LambdaContext())
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (400, "invalid_query")
        assert json.loads(answered["body"])["errors"][0]["pointer"] == "/limit"

    def test_cookies_keep_all_of_their_value(self) -> None:
        """Also an equals sign, and without the space that a browser sends between two."""
        assert seen(cookies=["a=b=c==", " d=e", "f"])["cookies"] == {"a": "b=c==", "d": "e", "f": ""}
        assert seen(cookies=None)["cookies"] == {}

    def test_header_names_are_read_in_any_case(self) -> None:
        told = seen(headers={"X-Viewer-IP": "198.51.100.9", "User-Agent": "x" * 300})
        assert (told["address"], told["agent"]) == ("198.51.100.9", "x" * 200)
        assert Request({"headers": None}).headers == {}

    def test_only_the_edge_says_whose_address_it_is(self) -> None:
        """What any client can send is not believed."""
        told = seen(headers={"x-forwarded-for": "198.51.100.9", "forwarded": "for=198.51.100.9"})
        assert told["address"] == "203.0.113.7"

    @pytest.mark.parametrize(("length", "status"), [(64, 200), (65, 404)])
    def test_an_id_has_64_characters_at_most(self, length: int, status: int) -> None:
        assert got("x" * length)["statusCode"] == status

    @pytest.mark.parametrize(
        ("job_id", "status"),
        [("job_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", 200), ("org_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", 404), ("job_1", 404)],
    )
    def test_an_id_of_another_kind_is_as_absent_as_an_unknown_one(self, job_id: str, status: int) -> None:
        """By the route's own code, so that a client sees one way of not being there; the table is not asked."""

        class NoSuchJob(NotFound):
            code = "job_not_found"

        @endpoint("GET /v1/jobs/{job_id}", public=True, raises=(Conflict, NoSuchJob))
        def typed(job_id: ids.JobId) -> Thing:
            """A job."""
            return Thing(name=job_id)

        answered = typed(event("GET", f"/v1/jobs/{job_id}", path_parameters={"job_id": job_id}), LambdaContext())
        assert answered["statusCode"] == status
        assert json.loads(answered["body"]).get("code") == (None if status == 200 else "job_not_found")

    def test_whoever_sends_too_much_is_told_how_much_is_taken(self) -> None:
        assert "256 KiB" in json.loads(posted('"' + "x" * 300_000 + '"')["body"])["fix"]

    @pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 413)])
    def test_a_body_has_256_kib_at_most(self, more: int, status: int) -> None:
        """Counted in bytes, of which some letters have several."""
        frame = len('{"name": ""}')
        for letter in ("x", "ë"):
            size = len(letter.encode())
            letters, rest = divmod(256 * 1024 + more - frame, size)
            body = f'{{"name": "{letter * letters}{"x" * rest}"}}'
            assert len(body.encode()) == 256 * 1024 + more
            assert posted(body)["statusCode"] == status

    @pytest.mark.parametrize(
        ("media_type", "status"),
        [
            ("application/json; charset=utf-8", 201),
            ("APPLICATION/JSON", 201),
            ("application/json ;charset=utf-8", 201),
            ("application/merge-patch+json", 201),
            ("text/plain", 415),
            ("application/jsonp", 415),
            ("text/xml; x=application/json", 415),
            ("", 415),
        ],
    )
    def test_json_by_its_media_type(self, media_type: str, status: int) -> None:
        assert posted({"name": "x"}, content_type=media_type)["statusCode"] == status

    def test_a_body_without_a_media_type_is_read(self) -> None:
        asked = event("POST", "/v1/things", body={"name": "x"})
        del asked["headers"]["content-type"]
        assert post(asked, LambdaContext())["statusCode"] == 201

    @pytest.mark.parametrize(("faults", "told"), [(2, 2), (20, 20), (21, 20)])
    def test_twenty_errors_are_told_at_most(self, faults: int, told: int) -> None:
        """Each with its pointer; the detail is the first one's."""
        document = json.loads(posted({"name": "x"} | {f"odd{number:02}": 1 for number in range(faults)})["body"])
        assert [error["pointer"] for error in document["errors"]] == [f"/odd{number:02}" for number in range(told)]
        assert {frozenset(error) for error in document["errors"]} == {frozenset({"pointer", "detail"})}
        first = document["errors"][0]
        assert document["detail"] == f"{first['pointer']}: {first['detail']}"

    def test_a_rule_of_ours_speaks_without_the_librarys_prefix(self) -> None:
        (error,) = json.loads(posted({"name": "nameless"})["body"])["errors"]
        assert error == {"pointer": "/name", "detail": "a thing has a name"}

    def test_a_path_part_that_no_parameter_takes_as_text_is_a_programming_error(self) -> None:
        @endpoint("GET /v1/odd/{odd_id}", public=True)
        def untaken() -> None:
            """Odd."""

        @endpoint("GET /v1/odd/{odd_id}", public=True)
        def number(odd_id: int) -> None:
            """Odd."""

        for odd in (untaken, number):
            with pytest.raises(TypeError, match="odd_id: str"):
                _ = odd.signature
