"""What uploads and captures may say at most and at least: each bound from both of its sides."""

from typing import Any

import pytest
from pydantic import ValidationError

from snapforge.assets import schemas
from snapforge.kit.schema import Schema

FILE: dict[str, Any] = {"name": "a.jpg", "bytes": 1000, "media_type": "image/jpeg"}
PART: dict[str, Any] = {"number": 1, "etag": '"e"'}


@pytest.mark.part("AST-1")
class TestBounds:
    @pytest.mark.parametrize(
        ("kind", "order", "within", "beyond"),
        [
            (schemas.CaptureCreate, {}, {"name": "x" * 120}, {"name": "x" * 121}),
            (schemas.FileAnnounced, FILE, {"name": "x"}, {"name": ""}),
            (schemas.FileAnnounced, FILE, {"name": "x" * 255}, {"name": "x" * 256}),
            (schemas.FileAnnounced, FILE, {"bytes": 0}, {"bytes": -1}),
            (schemas.FileAnnounced, FILE, {"bytes": 10**12}, {"bytes": 10**12 + 1}),
            (schemas.FileAnnounced, FILE, {"media_type": "a/b"}, {"media_type": "a/"}),
            (schemas.FileAnnounced, FILE, {"media_type": "x" * 100}, {"media_type": "x" * 101}),
            (schemas.UploadsPresign, {}, {"files": [FILE]}, {"files": []}),
            (schemas.UploadsPresign, {}, {"files": [FILE] * 100}, {"files": [FILE] * 101}),
            (schemas.UploadedPart, PART, {"number": 1}, {"number": 0}),
            (schemas.UploadedPart, PART, {"number": 10_000}, {"number": 10_001}),
            (schemas.UploadedPart, PART, {"etag": "x"}, {"etag": ""}),
            (schemas.UploadedPart, PART, {"etag": "x" * 128}, {"etag": "x" * 129}),
            (schemas.UploadComplete, {}, {"parts": [PART]}, {"parts": []}),
            (schemas.UploadComplete, {}, {"parts": [PART] * 10_000}, {"parts": [PART] * 10_001}),
            (schemas.AssetsQuery, {}, {"limit": 1}, {"limit": 0}),
            (schemas.AssetsQuery, {}, {"limit": 100}, {"limit": 101}),
        ],
    )
    def test_the_bound_is_taken_and_one_beyond_is_refused(
        self, kind: type[Schema], order: dict[str, Any], within: dict[str, Any], beyond: dict[str, Any]
    ) -> None:
        taken = kind.model_validate(order | within).model_dump(exclude_unset=True)
        assert taken == order | within
        with pytest.raises(ValidationError):
            kind.model_validate(order | beyond)

    def test_a_page_has_twenty_unless_more_are_asked_for(self) -> None:
        assert schemas.AssetsQuery().limit == 20

    @pytest.mark.parametrize("name", ["a\n.jpg", "a\x00b", "\u202egpj.exe"])
    def test_a_name_that_shows_as_another_is_refused(self, name: str) -> None:
        with pytest.raises(ValidationError):
            schemas.FileAnnounced.model_validate(FILE | {"name": name})
        with pytest.raises(ValidationError):
            schemas.CaptureCreate.model_validate({"name": name})
