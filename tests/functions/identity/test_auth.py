"""The endpoints of identity as API Gateway calls them."""

import re
import secrets
from typing import Any

import pytest

from snapforge.kit import clock
from tests.support import people
from tests.support.aws import Aws
from tests.support.http import Answer, call

OURS = {"X-Requested-With": "snapforge"}


@pytest.fixture
def address() -> str:
    """An address of its own for each test, as limits count addresses."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def sign_up(email: str, address: str, /, **more: Any) -> Answer:
    """POST /v1/auth/signup"""
    body = {"email": email, "password": people.PASSWORD, "name": "Ada Lovelace"} | more
    return call("identity/sign_up", body=body, address=address)


def log_in(email: str, address: str, password: str = people.PASSWORD) -> Answer:
    """POST /v1/auth/login"""
    return call("identity/log_in", body={"email": email, "password": password}, address=address)


def cookie(answer: Answer) -> list[str]:
    """What a browser sends back."""
    (text,) = answer.cookies
    return [text.partition(";")[0]]


def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock: limits then have no window's end to cross."""
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)


@pytest.mark.part("ID-1")
class TestSignUpToLogOut:
    """The whole way of a customer."""

    def test_the_whole_way(self, aws: Aws, address: str) -> None:
        """Sign up, log in, look, verify, work, refresh, log out."""
        email = people.fresh_address()
        signed_up = sign_up(email, address)
        assert (signed_up.status, signed_up.json) == (202, {"status": "check_your_mail"})
        opened = log_in(email, address)
        assert opened.status == 200
        token = opened.json["access_token"]
        assert call("identity/get_me", token=token).json["user"]["email_verified"] is False
        assert call("identity/create_api_key", token=token, body={"name": "k", "scopes": ["jobs:read"]}).status == 403
        verified = call("identity/verify_email", body={"token": people.links(email)[0]}, address=address)
        assert (verified.status, verified.json) == (200, {"status": "verified"})
        refreshed = call("identity/refresh_session", cookies=cookie(opened), headers=OURS, address=address)
        assert refreshed.json["email_verified"] is True
        assert call("identity/get_me", token=refreshed.json["access_token"]).status == 200
        out = call("identity/log_out", cookies=cookie(refreshed), headers=OURS)
        assert (out.status, out.text) == (204, "")
        assert "Max-Age=0" in out.cookies[0]
        assert call("identity/get_me", token=token).status == 401
        over = call("identity/refresh_session", cookies=cookie(refreshed), headers=OURS, address=address)
        assert (over.status, over.json["code"]) == (401, "session_over")

    def test_known_and_unknown_addresses_get_equal_answers(self, aws: Aws, address: str) -> None:
        """Sign-up and resend, byte for byte but for the limits' counting."""
        email = people.fresh_address()
        first, second = sign_up(email, address), sign_up(email, address)
        known = call("identity/resend_verification", body={"email": email}, address=address)
        unknown = call("identity/resend_verification", body={"email": people.fresh_address()}, address=address)
        for one, other in ((first, second), (known, unknown)):
            assert (one.status, one.text) == (other.status, other.text) == (202, '{"status":"check_your_mail"}')
            assert one.headers.keys() == other.headers.keys()


@pytest.mark.part("ID-1")
class TestSignUp:
    """POST /v1/auth/signup"""

    @pytest.mark.parametrize(
        "more",
        [
            {"email": "nobody"},
            {"email": 7},
            {"password": None},
            {"name": ""},
            {"name": "Click https://evil.example"},
            {"name": "a\nb"},
            {"name": "x" * 61},
            {"locale": "english"},
            {"role": "admin"},
        ],
    )
    def test_a_bad_payload_is_422_and_repeats_nothing(self, aws: Aws, address: str, more: dict[str, Any]) -> None:
        """The problem points at the member, without the values."""
        answered = sign_up(people.fresh_address(), address, **more)
        assert (answered.status, answered.json["code"]) == (422, "invalid_payload")
        assert people.PASSWORD not in answered.text

    def test_a_weak_password_has_a_fix(self, aws: Aws, address: str) -> None:
        """422 with what to do."""
        answered = sign_up(people.fresh_address(), address, password="password123")
        assert (answered.status, answered.json["code"]) == (422, "weak_password")
        assert answered.json["fix"]

    @pytest.mark.part("ID-9")
    def test_twenty_an_hour_from_one_address(self, aws: Aws, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then 429 with Retry-After; the headers count down before."""
        frozen(monkeypatch)
        first = sign_up("ada@example.com", address, password="password123")
        assert first.status == 422
        left = [sign_up(people.fresh_address(), address).headers["ratelimit-remaining"] for _ in range(2)]
        assert left == ["18", "17"]
        for _ in range(17):
            sign_up("ada@example.com", address, password="password123")
        answered = sign_up(people.fresh_address(), address)
        assert (answered.status, answered.json["code"]) == (429, "rate_limited")
        assert int(answered.headers["retry-after"]) > 0
        assert answered.headers["ratelimit-remaining"] == "0"


@pytest.mark.part("ID-1")
class TestLogIn:
    """POST /v1/auth/login"""

    def test_the_cookie_no_script_can_read(self, aws: Aws, address: str) -> None:
        """And the refresh token is nowhere else in the answer; nothing is cached."""
        somebody = people.verified()
        answered = log_in(somebody.email, address)
        (set_cookie,) = answered.cookies
        assert re.fullmatch(
            r"__Host-sf_refresh=[^;]{90,200}; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Strict", set_cookie
        )
        assert set_cookie.partition(";")[0].partition("=")[2] not in answered.text
        assert answered.headers["cache-control"] == "no-store"
        assert answered.json["expires_in"] == 600

    @pytest.mark.parametrize("known", [True, False])
    def test_wrong_credentials_are_401(self, aws: Aws, address: str, known: bool) -> None:
        """The same answer whether the address is known."""
        email = people.verified().email if known else people.fresh_address()
        answered = log_in(email, address, "not the password")
        assert (answered.status, answered.json["code"]) == (401, "wrong_credentials")
        assert not answered.cookies

    @pytest.mark.part("ID-9")
    def test_thirty_tries_in_five_minutes(self, aws: Aws, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Right or wrong; then 429 before any password is looked at."""
        frozen(monkeypatch)
        email = people.fresh_address()
        statuses = [log_in(email, address, "wrong").status for _ in range(30)]
        assert statuses == [401] * 30
        with people.aws_calls() as calls:
            assert log_in(email, address, "wrong").status == 429
        assert calls == ["UpdateItem"]


@pytest.mark.part("ID-2")
class TestRefresh:
    """POST /v1/auth/refresh"""

    def test_without_our_header_it_is_403(self, aws: Aws, address: str) -> None:
        """A form on another site cannot send it; and a foreign Origin gives a script away."""
        opened = log_in(people.verified().email, address)
        for headers in ({}, OURS | {"Origin": "https://evil.example"}):
            answered = call("identity/refresh_session", cookies=cookie(opened), headers=headers, address=address)
            assert (answered.status, answered.json["code"]) == (403, "foreign_origin")
            assert not answered.cookies

    def test_no_cookie_is_401(self, aws: Aws, address: str) -> None:
        """With what to do."""
        answered = call("identity/refresh_session", headers=OURS, address=address)
        assert (answered.status, answered.json["fix"]) == (401, "Log in again.")

    def test_a_stolen_token_ends_the_session(self, aws: Aws, address: str) -> None:
        """The thief's try and the owner's next one."""
        opened = log_in(people.verified().email, address)
        second = call("identity/refresh_session", cookies=cookie(opened), headers=OURS, address=address)
        third = call("identity/refresh_session", cookies=cookie(second), headers=OURS, address=address)
        reused = call("identity/refresh_session", cookies=cookie(opened), headers=OURS, address=address)
        assert (reused.status, reused.json["code"]) == (401, "refresh_token_reused")
        assert call("identity/refresh_session", cookies=cookie(third), headers=OURS, address=address).status == 401


@pytest.mark.part("ID-2")
class TestLogOut:
    """POST /v1/auth/logout and /v1/auth/logout-all-devices"""

    def test_without_our_header_it_is_403(self, aws: Aws) -> None:
        """Nobody is logged out by a foreign page."""
        assert call("identity/log_out").status == 403

    def test_without_a_session_it_is_204(self, aws: Aws) -> None:
        """Logged out is logged out."""
        assert call("identity/log_out", headers=OURS).status == 204

    def test_all_devices(self, aws: Aws, address: str) -> None:
        """By the access token; the cookie is cleared."""
        email = people.verified().email
        one, other = log_in(email, address), log_in(email, address)
        out = call("identity/log_out_all_devices", token=one.json["access_token"])
        assert out.status == 204
        assert "Max-Age=0" in out.cookies[0]
        for opened in (one, other):
            assert call("identity/get_me", token=opened.json["access_token"]).status == 401

    def test_a_key_cannot_log_its_makers_out(self, aws: Aws) -> None:
        """It lacks the permission."""
        key = people.new_key(people.verified().principal)
        assert call("identity/log_out_all_devices", token=key.key).status == 403


@pytest.mark.part("ID-1")
class TestVerifyEmail:
    """POST /v1/auth/verify-email"""

    def test_an_unknown_token_is_410(self, aws: Aws, address: str) -> None:
        """With where to get another."""
        answered = call("identity/verify_email", body={"token": "sfv_" + "a" * 43}, address=address)
        assert (answered.status, answered.json["code"]) == (410, "verification_over")
        assert "/v1/auth/resend-verification" in answered.json["fix"]


@pytest.mark.part("ID-8")
class TestApiKeys:
    """/v1/auth/keys"""

    def test_made_used_listed_revoked(self, aws: Aws) -> None:
        """The life of a key."""
        token = people.verified().opened.body.access_token
        made = call(
            "identity/create_api_key",
            token=token,
            body={"name": "Nightly", "scopes": ["profile:read", "jobs:read"], "expires_in_days": 30},
        )
        assert made.status == 201
        key = made.json["key"]
        used = call("identity/get_me", token=key)
        assert (used.status, used.json["key_id"]) == (200, made.json["id"])
        assert "user" not in used.json
        (listed,) = call("identity/list_api_keys", token=token).json["items"]
        assert listed["last_used_at"].endswith("Z")
        assert listed["scopes"] == ["jobs:read", "profile:read"]
        assert key not in call("identity/list_api_keys", token=token).text
        assert call("identity/revoke_api_key", path={"key_id": made.json["id"]}, token=token).status == 204
        assert call("identity/get_me", token=key).status == 401
        assert call("identity/list_api_keys", token=token).json["items"] == []

    @pytest.mark.part("ID-9")
    def test_the_headers_of_the_rate(self, aws: Aws) -> None:
        """On every answer to a key; one call beyond the endpoint's own."""
        key = people.new_key(people.verified().principal)
        with people.aws_calls() as calls:
            answered = call("identity/get_me", token=key.key)
        assert answered.status == 403
        assert (answered.headers["ratelimit-limit"], answered.headers["ratelimit-remaining"]) == ("60", "59")
        assert calls == ["UpdateItem"]

    @pytest.mark.part("ID-9")
    def test_the_sixty_first_is_429(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """With Retry-After."""
        key = people.new_key(people.verified().principal)
        frozen(monkeypatch)
        statuses = [call("identity/get_me", token=key.key).status for _ in range(61)]
        assert statuses == [403] * 60 + [429]
        assert call("identity/get_me", token=key.key).headers["retry-after"] == "10"

    def test_a_key_manages_no_keys(self, aws: Aws) -> None:
        """It cannot make another one."""
        key = people.new_key(people.verified().principal)
        assert call("identity/create_api_key", token=key.key, body={"name": "k", "scopes": ["jobs:read"]}).status == 403
        assert call("identity/list_api_keys", token=key.key).status == 403

    @pytest.mark.parametrize(
        "body",
        [
            {"name": "", "scopes": ["jobs:read"]},
            {"name": "k", "scopes": []},
            {"name": "k", "scopes": ["keys:manage"]},
            {"name": "k", "scopes": ["jobs:read"], "expires_in_days": 0},
            {"name": "k", "scopes": ["jobs:read"], "mode": "prod"},
        ],
    )
    def test_a_bad_key_is_422(self, aws: Aws, body: dict[str, Any]) -> None:
        """Says which member."""
        answered = call("identity/create_api_key", token=people.verified().opened.body.access_token, body=body)
        assert (answered.status, answered.json["code"]) == (422, "invalid_payload")
        assert answered.json["errors"][0]["pointer"].startswith("/")
