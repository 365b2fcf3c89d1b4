"""The endpoints of uploads and captures, as API Gateway calls them, and the consumers behind them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from snapforge.assets import schemas
from snapforge.kit import ids
from tests.support import customer as side
from tests.support import samples
from tests.support.aws import Aws
from tests.support.http import LambdaContext, call, load
from tests.support.people import Somebody

EVENTS = Path(__file__).parents[3] / "events" / "assets"
JPEG = samples.jpeg()


def token(person: Somebody) -> str:
    return person.opened.body.access_token


def announced(name: str, body: bytes, media_type: str = "image/jpeg", **more: Any) -> dict[str, Any]:
    return {"name": name, "bytes": len(body), "media_type": media_type} | more


def invoke(function: str, event: dict[str, Any]) -> Any:
    """Call a consumer as Lambda does."""
    return load(f"assets/{function}").handler(event, LambdaContext())


@pytest.fixture
def capture_id(customer: Somebody) -> str:
    answered = call("assets/create_capture", body={"name": "Kingfisher"}, token=token(customer))
    assert answered.status == 201
    assert answered.headers["location"] == f"/v1/captures/{answered.json['id']}"
    return str(answered.json["id"])


@pytest.mark.part("AST-1")
class TestPresignUpload:
    """POST /v1/uploads/presign"""

    def test_each_file_gets_its_ticket_in_order(self, customer: Somebody, capture_id: str) -> None:
        files = [announced("a.jpg", JPEG), announced("b.heic", JPEG, "IMAGE/HEIC")]
        answered = call("assets/presign_upload", body={"capture_id": capture_id, "files": files}, token=token(customer))
        assert answered.status == 201
        first, second = answered.json["uploads"]
        assert (first["name"], second["name"]) == ("a.jpg", "b.heic")
        assert re.fullmatch(ids.pattern("upload"), first["id"])
        assert first["post"]["fields"]["Content-Type"] == "image/jpeg"
        assert second["post"]["fields"]["Content-Type"] == "image/heic"
        assert "parts" not in first

    @pytest.mark.parametrize(
        ("media_type", "size", "code"),
        [
            ("image/gif", 10, "media_type_unsupported"),
            ("image/jpeg", 50_000_001, "photo_too_large"),
            ("image/jpeg", 0, "file_empty"),
        ],
    )
    def test_what_cannot_be_taken_is_refused_with_code_and_fix(
        self, customer: Somebody, media_type: str, size: int, code: str
    ) -> None:
        body = {"files": [{"name": "a", "bytes": size, "media_type": media_type}]}
        answered = call("assets/presign_upload", body=body, token=token(customer))
        assert (answered.status, answered.json["code"]) == (422, "file_refused")
        assert answered.json["files"][0]["code"] == code
        assert answered.json["fix"] == answered.json["files"][0]["fix"] != ""

    @pytest.mark.parametrize(
        "files",
        [
            [],
            [{"name": "a", "bytes": 1, "media_type": "image/jpeg"}] * 101,
            [{"name": "", "bytes": 1, "media_type": "image/jpeg"}],
            [{"name": "a\nb", "bytes": 1, "media_type": "image/jpeg"}],
            [{"name": "a", "bytes": -1, "media_type": "image/jpeg"}],
            [{"name": "a", "bytes": 1, "media_type": "image/jpeg", "sha256": "nonsense"}],
        ],
    )
    def test_what_does_not_fit_the_schema_is_422(self, customer: Somebody, files: list[dict[str, Any]]) -> None:
        answered = call("assets/presign_upload", body={"files": files}, token=token(customer))
        assert (answered.status, answered.json["code"]) == (422, "invalid_payload")

    def test_another_orgs_capture_is_404(self, stranger: Somebody, capture_id: str) -> None:
        body = {"capture_id": capture_id, "files": [announced("a.jpg", JPEG)]}
        answered = call("assets/presign_upload", body=body, token=token(stranger))
        assert (answered.status, answered.json["code"]) == (404, "capture_not_found")

    def test_the_301st_photo_is_409(self, customer: Somebody, capture_id: str) -> None:
        hundred = {"capture_id": capture_id, "files": [announced("a.jpg", JPEG)] * 100}
        for _ in range(3):
            assert call("assets/presign_upload", body=hundred, token=token(customer)).status == 201
        one_more = hundred | {"files": hundred["files"][:1]}
        answered = call("assets/presign_upload", body=one_more, token=token(customer))
        assert (answered.status, answered.json["code"], answered.json["room"]) == (409, "capture_full", 0)
        assert answered.json["fix"]


@pytest.mark.part("AST-2")
class TestFromCameraToCapture:
    """Announce, send, the queue's message, look."""

    def test_the_whole_way(self, aws: Aws, customer: Somebody, stranger: Somebody, capture_id: str) -> None:
        good = samples.jpeg(exif=samples.exif())
        bodies = {"a.jpg": good, "b.jpg": b"Dear Sir", "c.jpg": good}
        files = [announced(name, body) for name, body in bodies.items()]
        presigned = call(
            "assets/presign_upload", body={"capture_id": capture_id, "files": files}, token=token(customer)
        )
        seen = call("assets/get_capture", path={"capture_id": capture_id}, token=token(customer)).json
        assert (seen["state"], seen["counts"]) == ("open", {"expected": 3, "checked": 0, "usable": 0, "refused": 0})
        for given in presigned.json["uploads"]:
            ticket = schemas.UploadTicket.model_validate(given)
            side.send(ticket, bodies[ticket.name])
            assert ticket.post is not None
            key = ticket.post.fields["key"]
            message = side.as_message(side.object_created(aws, key, len(bodies[ticket.name])))
            for _ in range(2):
                assert invoke("on_upload_arrived", message) == {"batchItemFailures": []}
        seen = call("assets/get_capture", path={"capture_id": capture_id}, token=token(customer)).json
        assert (seen["name"], seen["state"]) == ("Kingfisher", "ready")
        assert seen["counts"] == {"expected": 3, "checked": 3, "usable": 1, "refused": 2}
        first, second, third = seen["photos"]
        assert first["photo"]["focal_px"] == pytest.approx(721.1, abs=0.2)
        assert first["photo"]["lens"]["model"] == "Phone 9"
        assert second["refused"]["code"] == "not_a_picture"
        assert (third["refused"]["code"], third["duplicate_of"]) == ("duplicate_photo", first["id"])
        assert all(one["refused"]["fix"] for one in (second, third))
        upload = call("assets/get_upload", path={"upload_id": first["id"]}, token=token(customer)).json
        assert (upload["state"], upload["capture_id"], upload["photo"]) == ("usable", capture_id, first["photo"])
        for function, path in {
            "get_capture": {"capture_id": capture_id},
            "get_upload": {"upload_id": first["id"]},
        }.items():
            assert call(f"assets/{function}", path=path, token=token(stranger)).status == 404

    def test_a_message_that_fails_is_returned_for_redelivery_alone(self, aws: Aws) -> None:
        fine = side.as_message(side.object_created(aws, "incoming/org_x/upl_x", 5))["Records"]
        broken = [{"messageId": "broken", "body": "{}"}]
        answered = invoke("on_upload_arrived", {"Records": broken + fine})
        assert answered == {"batchItemFailures": [{"itemIdentifier": "broken"}]}


@pytest.mark.part("AST-1")
class TestCompleteUpload:
    """POST /v1/uploads/{upload_id}/complete"""

    def test_a_large_zip_is_announced_in_parts_that_cover_it(self, customer: Somebody) -> None:
        body = {"files": [{"name": "photos.zip", "bytes": 150_000_000, "media_type": "application/zip"}]}
        (ticket,) = call("assets/presign_upload", body=body, token=token(customer)).json["uploads"]
        assert "post" not in ticket
        assert [part["number"] for part in ticket["parts"]] == [1, 2, 3]
        assert sum(part["bytes"] for part in ticket["parts"]) == 150_000_000
        answered = call(
            "assets/complete_upload",
            path={"upload_id": ticket["id"]},
            body={"parts": [{"number": 1, "etag": "x"}]},
            token=token(customer),
        )
        assert (answered.status, answered.json["code"]) == (422, "parts_do_not_fit")

    def test_a_file_sent_by_post_needs_none(self, customer: Somebody) -> None:
        presigned = call("assets/presign_upload", body={"files": [announced("a.jpg", JPEG)]}, token=token(customer))
        answered = call(
            "assets/complete_upload",
            path={"upload_id": presigned.json["uploads"][0]["id"]},
            body={"parts": [{"number": 1, "etag": "x"}]},
            token=token(customer),
        )
        assert (answered.status, answered.json["code"]) == (409, "upload_not_open")


class TestSampleEvents:
    """events/assets/*.json of the consumers are what AWS sends, and are served."""

    @pytest.mark.parametrize("function", ["on_upload_arrived", "sweep_uploads"])
    def test_it_is_served(self, aws: Aws, function: str) -> None:
        answered = invoke(function, json.loads((EVENTS / f"{function}.json").read_text()))
        assert answered.get("batchItemFailures", []) == []
