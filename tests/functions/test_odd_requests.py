"""What no document describes: bodies that are barely JSON, credentials and cookies of any text."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.tools.functions import endpoints
from snapforge.http.steps import throttle
from snapforge.identity import domain
from snapforge.kit import ids
from tests.support.aws import Aws
from tests.support.http import LambdaContext, event
from tests.support.members import member

ROUTES = endpoints()
READING = [place for place, made in ROUTES.items() if made.signature.body]
GUARDED = [place for place, made in ROUTES.items() if made.permission]
COOKIES = ["identity/refresh_session", "identity/log_out"]
BODIES = {
    "bytes that are no UTF-8": b'{"name": "\xff\xfe"}',
    "half a character": rb'{"name": "\ud800", "email": "\udfff@example.com", "prompt": "\ud800"}',
    "not a number": b'{"kind": "image", "prompt": "x", "guidance": NaN, "seed": NaN, "steps": Infinity}',
    "a number of 5,000 digits": b'{"kind": "image", "prompt": "x", "seed": ' + b"9" * 5000 + b"}",
    "an exponent": b'{"kind": "image", "prompt": "x", "seed": 1e400, "count": 1e2, "guidance": 1e308}',
    "a depth of 10,000": b"[" * 10_000 + b"]" * 10_000,
    "a name twice": b'{"kind": "image", "kind": "scene", "name": "a", "name": "b"}',
    "a null character": rb'{"name": "\u0000", "email": "a\u0000@example.com", "password": "\u0000"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "nothing but space": b"   ",
}


def ask(place: str, **parts: Any) -> dict[str, Any]:
    """One request of a member; the answer must be a client's error with a code, or fine."""
    made = ROUTES[place]
    throttle._counts.clear()
    headers = {"authorization": f"Bearer {member().token}", "idempotency-key": "odd-requests"}
    path = {name: ids.new(name.removesuffix("_id").replace("key", "api_key")) for name in made.signature.path}
    body = parts.pop("body", None)
    sent = event(made.method, made.path.format(**path), path_parameters=path, **parts)
    sent["headers"] = headers | {"x-requested-with": "snapforge"} | parts.get("headers", {})
    if body is not None:
        sent |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    answered = made(sent, LambdaContext())
    assert answered["statusCode"] < 500, answered
    if answered["statusCode"] >= 400:
        assert json.loads(answered["body"])["code"]
    return answered


@pytest.mark.part("API-2")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("place", READING)
def test_a_body_that_is_barely_json_is_answered(aws: Aws, place: str, body: bytes) -> None:
    """By a problem with a code, or taken where it fits."""
    ask(place, body=body)


@pytest.mark.part("ADM-7")
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(GUARDED), scheme=st.sampled_from(["Bearer ", "bearer", "Basic ", ""]), data=st.data())
def test_credentials_of_any_text_are_401(aws: Aws, place: str, scheme: str, data: st.DataObject) -> None:
    """Also those that look like a key or a token."""
    key = st.from_regex(r"sf_(live|test)_[0-9A-Z]{26}_[A-Za-z0-9_-]{43}", fullmatch=True)
    token = st.from_regex(r"[A-Za-z0-9_-]{4,40}\.[A-Za-z0-9_-]{4,40}\.[A-Za-z0-9_-]{4,40}", fullmatch=True)
    prefixed = st.text(max_size=60).map("sf_live_{}".format)
    text = data.draw(st.one_of(st.text(max_size=60), key, token, prefixed), label="credential")
    assert ask(place, headers={"authorization": scheme + text})["statusCode"] == 401


@pytest.mark.part("ADM-7")
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(place=st.sampled_from(COOKIES), name=st.sampled_from([domain.REFRESH_COOKIE, "x"]), data=st.data())
def test_cookies_of_any_text_open_nothing(aws: Aws, place: str, name: str, data: st.DataObject) -> None:
    """A refresh is refused, a logout has nothing to do."""
    shape = st.from_regex(domain._REFRESH, fullmatch=True)
    value = data.draw(st.one_of(st.text(max_size=80), shape), label="value")
    assert ask(place, cookies=[f"{name}={value}", value])["statusCode"] in {204, 401, 403}
