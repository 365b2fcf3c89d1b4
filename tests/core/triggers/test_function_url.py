"""Webhooks at a Lambda URL: who may call, and what becomes of a body."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from snapforge.http import Body, ClientInfo, RawBody
from snapforge.http.steps.arguments import MAX_BODY_BYTES
from snapforge.kit.errors import Unauthenticated
from snapforge.kit.schema import Schema
from snapforge.triggers import function_url
from tests.support.http import LambdaContext, event


class Paid(Schema):
    """What the toy provider sends."""

    amount: int


def verify(body: bytes, headers: Mapping[str, str]) -> None:
    """HMAC over the bytes."""
    wanted = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, headers.get("x-signature", "")):
        raise Unauthenticated("The signature is wrong.")


def signed(body: bytes, **more: Any) -> dict[str, Any]:
    """A call of the URL."""
    made = event("POST", "/", headers={"x-signature": hmac.new(b"secret", body, hashlib.sha256).hexdigest()})
    return made | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True} | more


class TestFunctionUrl:
    """The fixed list of steps: POST, signature, arguments."""

    def test_the_handler_gets_the_bytes_as_they_came(self) -> None:
        """Not one space less: signatures are made over them."""
        taken: list[bytes] = []

        @function_url(verify=verify)
        def handler(body: RawBody, client: ClientInfo) -> None:
            taken.append(body)

        sent = b'{"b": 1,\r\n "a" : "\xc3\xa4"}  '
        answered = handler(signed(sent), LambdaContext())
        assert (answered["statusCode"], taken) == (204, [sent])

    def test_a_schema_reads_them(self) -> None:
        taken: list[Paid] = []

        @function_url(verify=verify)
        def handler(body: Body[Paid]) -> None:
            taken.append(body)

        assert handler(signed(b'{"amount": 5}'), LambdaContext())["statusCode"] == 204
        assert taken == [Paid(amount=5)]

    @pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"amount": "much"}', b"\xff\xfe"])
    def test_a_malformed_body_is_a_problem_and_not_handled(self, body: bytes) -> None:
        taken: list[Paid] = []

        @function_url(verify=verify)
        def handler(body: Body[Paid]) -> None:
            taken.append(body)

        answered = handler(signed(body), LambdaContext())
        assert answered["statusCode"] in {400, 422}
        assert answered["headers"]["content-type"] == "application/problem+json"
        assert taken == []

    @pytest.mark.parametrize("signature", [None, "", "0" * 64])
    def test_a_wrong_signature_is_401_before_anything_is_read(self, signature: str | None) -> None:
        taken: list[bytes] = []

        @function_url(verify=verify)
        def handler(body: RawBody) -> None:
            taken.append(body)

        headers = {} if signature is None else {"x-signature": signature}
        answered = handler(signed(b"{}", headers=headers), LambdaContext())
        assert (answered["statusCode"], taken) == (401, [])

    def test_another_method_is_405(self) -> None:
        @function_url(verify=verify)
        def handler(body: RawBody) -> None:
            """Nothing."""

        asked = event("GET", "/")
        answered = handler(asked, LambdaContext())
        assert (answered["statusCode"], answered["headers"]["allow"]) == (405, "POST")

    def test_too_large_a_body_is_413(self) -> None:
        @function_url(verify=verify)
        def handler(body: RawBody) -> None:
            """Nothing."""

        assert handler(signed(b"x" * MAX_BODY_BYTES), LambdaContext())["statusCode"] == 204
        assert handler(signed(b"x" * (MAX_BODY_BYTES + 1)), LambdaContext())["statusCode"] == 413

    def test_an_error_of_ours_is_500_so_that_the_provider_sends_it_again(self) -> None:
        @function_url(verify=verify)
        def handler(body: RawBody) -> None:
            raise RuntimeError("secret of the database")

        answered = handler(signed(b"{}"), LambdaContext())
        assert (answered["statusCode"], json.loads(answered["body"])["code"]) == (500, "internal_error")
        assert "secret" not in answered["body"]
