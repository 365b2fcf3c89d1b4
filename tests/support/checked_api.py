"""A client that believes nothing: every answer must be one that the OpenAPI document describes."""

from functools import cached_property
from typing import Any, ClassVar

from jsonschema import Draft202012Validator

from infrastructure.local.demo.client import Answer, Api, ApiError


class CheckedApi(Api):
    """`Api`, whose `call` also holds status, media type and body against the document (AssertionError)."""

    asked: ClassVar[set[str]] = set()
    """Operations called in this process."""

    def call(self, operation: str, **asked: Any) -> Answer:
        """As in Api."""
        self.asked.add(operation)
        try:
            answered = super().call(operation, **asked)
        except ApiError as error:
            self._check(operation, error.status, "application/problem+json", error.problem)
            raise
        self._check(operation, answered.status, "application/json", answered.json)
        return answered

    @cached_property
    def _components(self) -> dict[str, Any]:
        document = self.http.get(f"{self.base_url}/openapi.json").raise_for_status().json()
        return {"components": document["components"]}

    def _check(self, operation: str, status: int, media_type: str, body: Any) -> None:
        _, _, described = self.operations[operation]
        assert str(status) in described["responses"], f"{operation} answered {status}, which is not documented: {body}"
        content = described["responses"][str(status)].get("content", {})
        if body is None:
            assert status in {204, 304}, f"{operation} answered {status} without a body"
            return
        assert media_type in content, f"{operation} {status}: no {media_type} in the document"
        Draft202012Validator(content[media_type]["schema"] | self._components).validate(body)
