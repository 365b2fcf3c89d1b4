"""What sign-up, log-in and API keys may say at most and at least: each bound from both of its sides."""

from typing import Any

import pytest
from pydantic import ValidationError

from snapforge.identity import schemas
from snapforge.kit.permissions import KEY_SCOPES
from snapforge.kit.schema import Schema

PERSON: dict[str, Any] = {"email": "ada@example.com", "password": "a long sentence", "name": "Ada"}
KEY: dict[str, Any] = {"name": "Nightly renders", "scopes": ["jobs:read"]}
SCOPES = sorted(KEY_SCOPES)
HOST = ".".join(["a" * 63, "a" * 63, "a" * 57])
"""With a local part of 64 letters and `.com` an address of 254."""


@pytest.mark.part("ID-1", "ID-8")
@pytest.mark.parametrize(
    ("kind", "order", "within", "beyond"),
    [
        (schemas.SignUp, PERSON, {"email": "a@b.de"}, {"email": "@bc.de"}),
        (schemas.SignUp, PERSON, {"email": f"{'x' * 64}@{HOST}.com"}, {"email": f"{'x' * 64}@{HOST}a.com"}),
        (schemas.SignUp, PERSON, {"name": "x"}, {"name": ""}),
        (schemas.SignUp, PERSON, {"name": "x" * 60}, {"name": "x" * 61}),
        (schemas.SignUp, PERSON, {"name": "Ada King"}, {"name": "Ada http://x"}),
        (schemas.SignUp, PERSON, {"password": "x" * 1000}, {"password": "x" * 1001}),
        (schemas.LogIn, {"email": "ada@example.com"}, {"password": "x" * 1000}, {"password": "x" * 1001}),
        (schemas.SignUp, PERSON, {"locale": "de-AT"}, {"locale": "de-at"}),
        (schemas.ApiKeyCreate, KEY, {"name": "x"}, {"name": ""}),
        (schemas.ApiKeyCreate, KEY, {"name": "x" * 60}, {"name": "x" * 61}),
        (schemas.ApiKeyCreate, KEY, {"scopes": SCOPES[:1]}, {"scopes": []}),
        (schemas.ApiKeyCreate, KEY, {"scopes": SCOPES}, {"scopes": [*SCOPES, SCOPES[0]]}),
        (schemas.ApiKeyCreate, KEY, {"scopes": SCOPES}, {"scopes": ["keys:manage"]}),
        (schemas.ApiKeyCreate, KEY, {"expires_in_days": 1}, {"expires_in_days": 0}),
        (schemas.ApiKeyCreate, KEY, {"expires_in_days": 730}, {"expires_in_days": 731}),
    ],
)
def test_the_bound_is_taken_and_one_beyond_is_refused(
    kind: type[Schema], order: dict[str, Any], within: dict[str, Any], beyond: dict[str, Any]
) -> None:
    assert kind.model_validate(order | within).model_dump(exclude_unset=True, mode="json") == order | within
    with pytest.raises(ValidationError):
        kind.model_validate(order | beyond)


@pytest.mark.part("ID-1")
def test_the_document_tells_how_long_an_address_can_be() -> None:
    """So that a form refuses it before it is sent."""
    for kind in (schemas.SignUp, schemas.LogIn, schemas.ResendVerification):
        told = kind.model_json_schema()["properties"]["email"]
        assert (told["minLength"], told["maxLength"]) == (len("a@b.de"), 254)
