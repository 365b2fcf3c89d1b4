"""The OpenAPI document."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from infrastructure.tools import docs_page, openapi, postman
from infrastructure.tools.examples import example
from infrastructure.tools.functions import ROOT, endpoints
from snapforge.aws.idempotency import KeyReused


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.build()


@pytest.mark.part("API-1")
class TestDocument:
    """Derived from the endpoints."""

    def test_it_is_valid_openapi_3_1(self, document: dict[str, Any]) -> None:
        validate(document)

    def test_the_committed_one_is_the_same(self, document: dict[str, Any]) -> None:
        assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == document

    def test_every_endpoint_stands_in_it_under_its_files_name(self, document: dict[str, Any]) -> None:
        listed = {
            operation["operationId"]: f"{method.upper()} {path}"
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert listed == {place.split("/")[1]: f"{made.method} {made.path}" for place, made in endpoints().items()}

    def test_every_body_has_an_example_that_fits_its_own_schema(self) -> None:
        for made in endpoints().values():
            if made.signature.body is None:
                continue
            adapter = made.signature.body[1]
            schema = adapter.json_schema()
            text = json.dumps(example(schema, schema.get("$defs", {})))
            adapter.validate_json(text)

    def test_every_operation_says_what_it_does_and_its_errors(self, document: dict[str, Any]) -> None:
        for methods in document["paths"].values():
            for operation in methods.values():
                assert operation["summary"].endswith("."), operation
                assert "500" in operation["responses"]
                if operation["security"]:
                    assert {"401", "403", "429"} <= set(operation["responses"]), operation["operationId"]

    def test_the_docs_page_names_every_route_and_every_error_code(self, document: dict[str, Any]) -> None:
        page = docs_page.render(document)
        for path in document["paths"]:
            assert path in page
        assert 'id="idempotency_key_reused"' in page

    def test_the_type_of_a_problem_is_an_address_on_the_docs_page(self, document: dict[str, Any]) -> None:
        page, anchor = KeyReused().document()["type"].split("#")
        assert page == "/docs/"
        assert f'id="{anchor}"' in docs_page.render(document)

    def test_the_postman_collection_has_every_route_once(self, document: dict[str, Any]) -> None:
        items = [item for folder in postman.collection(document)["item"] for item in folder["item"]]
        assert len(items) == sum(len(methods) for methods in document["paths"].values())
