"""Uploads on a real S3: presigned with conditions, in parts, swept when they never came."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from snapforge.assets import domain, errors, schemas
from snapforge.assets.domain import Announced, UploadState
from snapforge.assets.service import captures, uploads
from snapforge.assets.store import CaptureRow, UploadRow
from snapforge.aws.tables import org_pk
from snapforge.kit import clock, ids
from tests.support import customer, samples
from tests.support.aws import Aws
from tests.support.links import FROZEN, freeze
from tests.support.members import of

JPEG = samples.jpeg()


@pytest.fixture
def org_id() -> str:
    return ids.new("org")


def counts(org_id: str, capture_id: str) -> tuple[int, int, int, int]:
    """expected, pending, usable, refused, as the row has them."""
    row = captures.find(org_id, capture_id)
    return int(row.expected), int(row.pending), int(row.usable), int(row.refused)


def late(row: UploadRow) -> None:
    """As if this upload had been announced long ago."""
    before = clock.now() - timedelta(days=1)
    UploadRow(row.pk, row.sk).update(actions=[UploadRow.unsent_at.set(before), UploadRow.expires_at.set(before)])


@pytest.mark.part("AST-1")
class TestPresignedPost:
    """One file, exactly as announced, at exactly one key."""

    def test_the_announced_file_is_taken(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("IMG.jpg", JPEG, "image/jpeg")])
        assert customer.send(ticket, JPEG).status_code in {200, 201, 204}
        stored = aws.client("s3").get_object(Bucket=aws.uploads_bucket, Key=f"incoming/{org_id}/{ticket.id}")
        assert stored["Body"].read() == JPEG
        assert stored["ContentType"] == "image/jpeg"

    def test_more_or_fewer_bytes_are_not(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("IMG.jpg", JPEG, "image/jpeg")])
        assert customer.send(ticket, JPEG + b"x").status_code in {400, 403}
        assert customer.send(ticket, JPEG[:-1]).status_code in {400, 403}

    @pytest.mark.parametrize("field", ["key", "Content_Type", "policy"])
    def test_an_altered_form_is_not(self, aws: Aws, org_id: str, field: str) -> None:
        (ticket,) = customer.announce(org_id, [("IMG.jpg", JPEG, "image/jpeg")])
        assert customer.send(ticket, JPEG, **{field: f"incoming/{ids.new('org')}/{ticket.id}"}).status_code in {
            400,
            403,
        }

    def test_the_signature_covers_the_policy(self, aws: Aws, org_id: str) -> None:
        """Computed again by AWS's published rule, since the emulator does not verify it."""
        (ticket,) = customer.announce(org_id, [("IMG.jpg", JPEG, "image/jpeg")])
        assert ticket.post is not None
        fields = ticket.post.fields
        key = b"AWS4test"
        for part in fields["x-amz-credential"].split("/")[1:]:
            key = hmac.digest(key, part.encode(), "sha256")
        assert fields["x-amz-signature"] == hmac.digest(key, fields["policy"].encode(), "sha256").hex()
        said = json.loads(base64.b64decode(fields["policy"]))
        assert {"key": f"incoming/{org_id}/{ticket.id}"} in said["conditions"]
        assert ["content-length-range", len(JPEG), len(JPEG)] in said["conditions"]
        assert {"Content-Type": "image/jpeg"} in said["conditions"]
        assert abs((clock.parse(said["expiration"]) - ticket.expires_at).total_seconds()) < 5

    def test_an_expired_form_is_not(self, aws: Aws, org_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(domain, "POST_LIFE", timedelta(seconds=-5))
        (ticket,) = customer.announce(org_id, [("IMG.jpg", JPEG, "image/jpeg")])
        assert customer.send(ticket, JPEG).status_code in {400, 403}

    @pytest.mark.parametrize("spelling", ["hex", "base64"])
    def test_a_checksum_in_either_spelling_goes_into_the_form(self, aws: Aws, org_id: str, spelling: str) -> None:
        digest = hashlib.sha256(JPEG)
        said = digest.hexdigest() if spelling == "hex" else base64.b64encode(digest.digest()).decode()
        file = schemas.FileAnnounced(name="a.jpg", bytes=len(JPEG), media_type="image/jpeg", sha256=said)
        (ticket,) = uploads.presign(of(org_id), schemas.UploadsPresign(files=[file])).uploads
        assert ticket.post is not None
        assert ticket.post.fields["x-amz-checksum-sha256"] == base64.b64encode(digest.digest()).decode()
        assert customer.send(ticket, JPEG).status_code in {200, 201, 204}
        assert customer.arrive(aws, org_id, ticket.id) == UploadState.usable


@pytest.mark.part("AST-1")
class TestAnnounce:
    """Refused before it is sent."""

    def test_every_bad_file_is_named_with_code_and_fix_and_nothing_is_opened(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        files = [("good.jpg", 10, "image/jpeg"), ("a.gif", 10, "image/gif"), ("b.png", 60_000_000, "image/png")]
        with pytest.raises(errors.FileRefused) as caught:
            uploads.open_uploads(org_id, [Announced(*file) for file in files], capture.id)
        told = caught.value.document()
        assert (told["status"], told["code"]) == (422, "file_refused")
        assert [(one["index"], one["code"]) for one in told["files"]] == [
            (1, "media_type_unsupported"),
            (2, "photo_too_large"),
        ]
        assert all(one["fix"] for one in told["files"])
        assert counts(org_id, capture.id) == (0, 0, 0, 0)

    def test_the_301st_photo_of_a_capture(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        hundred = [Announced(f"{n}.jpg", 10, "image/jpeg") for n in range(100)]
        for _ in range(2):
            assert len(uploads.open_uploads(org_id, hundred, capture.id)) == 100
        assert len(uploads.open_uploads(org_id, hundred[:99], capture.id)) == 99
        with pytest.raises(errors.CaptureFull) as caught:
            uploads.open_uploads(org_id, hundred[:2], capture.id)
        assert caught.value.document()["room"] == 1
        uploads.open_uploads(org_id, hundred[:1], capture.id)
        with pytest.raises(errors.CaptureFull) as caught:
            uploads.open_uploads(org_id, hundred[:1], capture.id)
        assert (caught.value.status, caught.value.code) == (409, "capture_full")
        assert caught.value.hint
        assert counts(org_id, capture.id) == (300, 300, 0, 0)

    def test_the_limit_holds_when_the_look_before_was_stale(
        self, aws: Aws, org_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The condition in the transaction decides, not the friendly look."""
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        CaptureRow(org_pk(org_id), f"capture#{capture.id}").update(actions=[CaptureRow.expected.set(299)])
        monkeypatch.setattr(uploads, "_room_for", lambda count, capture: None)
        with pytest.raises(errors.CaptureFull) as caught:
            uploads.open_uploads(org_id, [Announced("a", 10, "image/jpeg")] * 2, capture.id)
        assert caught.value.document()["room"] == 1

    def test_another_orgs_capture_is_not_there(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(ids.new("org")), schemas.CaptureCreate())
        with pytest.raises(errors.CaptureNotFound):
            uploads.open_uploads(org_id, [Announced("a", 10, "image/jpeg")], capture.id)


@pytest.mark.part("AST-1")
class TestMultipart:
    """Large ZIPs come in parts."""

    @pytest.fixture
    def archive(self, monkeypatch: pytest.MonkeyPatch) -> bytes:
        """A ZIP of 12 MB, with limits set so that it counts as large."""
        monkeypatch.setattr(domain, "MULTIPART_ABOVE", 10_000_000)
        monkeypatch.setattr(domain, "PART_BYTES", 6_000_000)
        return b"PK\x03\x04" + bytes(12_000_000)

    def put(self, ticket: schemas.UploadTicket, body: bytes) -> list[tuple[int, str]]:
        assert ticket.parts is not None
        sent = []
        for part in ticket.parts:
            answered = httpx.put(part.url, content=body[part.offset : part.offset + part.bytes], timeout=30)
            assert answered.status_code == 200, answered.text
            sent.append((part.number, answered.headers["etag"]))
        return sent

    def test_parts_become_one_stored_file(self, aws: Aws, org_id: str, archive: bytes) -> None:
        (ticket,) = customer.announce(org_id, [("photos.zip", archive, "application/zip")])
        assert ticket.parts is not None
        assert [part.bytes for part in ticket.parts] == [6_000_000, 6_000_000, 4]
        parts = self.put(ticket, archive)
        for _ in range(2):
            assert uploads.join_parts(org_id, ticket.id, parts).state == UploadState.waiting
        assert customer.arrive(aws, org_id, ticket.id) == UploadState.stored
        assert uploads.read_upload(of(org_id), ticket.id).state == UploadState.stored
        assert uploads.join_parts(org_id, ticket.id, parts).state == UploadState.stored
        kept = aws.client("s3").get_object(Bucket=aws.uploads_bucket, Key=f"originals/{org_id}/{ticket.id}")
        assert kept["Body"].read() == archive

    def test_their_addresses_are_good_for_twelve_hours_and_a_forms_for_a_quarter(
        self, aws: Aws, org_id: str, archive: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And the tickets say so. S3's own clock begins when an address is signed."""
        freeze(monkeypatch)
        large, small = customer.announce(
            org_id, [("photos.zip", archive, "application/zip"), ("a.jpg", JPEG, "image/jpeg")]
        )
        assert large.parts is not None
        lives = {parse_qs(urlsplit(part.url).query)["X-Amz-Expires"][0] for part in large.parts}
        assert lives == {str(12 * 3600)}
        assert (large.expires_at, small.expires_at) == (FROZEN + timedelta(hours=12), FROZEN + timedelta(minutes=15))

    def test_parts_that_were_not_sent_do_not_fit(self, aws: Aws, org_id: str, archive: bytes) -> None:
        (ticket,) = customer.announce(org_id, [("photos.zip", archive, "application/zip")])
        parts = self.put(ticket, archive)
        for wrong in (parts[:2], parts[::-1], [(1, '"0"'), *parts[1:]]):
            with pytest.raises(errors.PartsDoNotFit) as caught:
                uploads.join_parts(org_id, ticket.id, wrong)
            assert caught.value.hint

    def test_a_file_sent_by_post_takes_no_parts(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("a.jpg", JPEG, "image/jpeg")])
        with pytest.raises(errors.UploadNotOpen):
            uploads.join_parts(org_id, ticket.id, [(1, "x")])
        with pytest.raises(errors.UploadNotFound):
            uploads.join_parts(ids.new("org"), ticket.id, [(1, "x")])

    def test_an_abandoned_one_is_aborted(self, aws: Aws, org_id: str, archive: bytes) -> None:
        (ticket,) = customer.announce(org_id, [("photos.zip", archive, "application/zip")])
        row = uploads.find(org_id, ticket.id)
        parts = self.put(ticket, archive)
        late(row)
        assert uploads.sweep_uploads() >= 1
        open_ones = aws.client("s3").list_multipart_uploads(Bucket=aws.uploads_bucket).get("Uploads", [])
        assert row.multipart_id not in {one["UploadId"] for one in open_ones}
        with pytest.raises(errors.UploadNotOpen):
            uploads.join_parts(org_id, ticket.id, parts)

    def test_what_is_no_zip_is_refused_on_arrival(self, aws: Aws, org_id: str) -> None:
        upload_id = customer.bring(aws, org_id, b"not a zip at all", name="a.zip", kind="application/zip")
        told = uploads.read_upload(of(org_id), upload_id)
        assert told.refused is not None
        assert told.refused.code == "not_an_archive"


@pytest.mark.part("AST-1")
class TestSweep:
    """Uploads that never came are marked, and the counts are right again."""

    def test_only_what_is_past_its_time_expires(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        first, second = customer.announce(org_id, [("a", JPEG, "image/jpeg"), ("b", JPEG, "image/jpeg")], capture.id)
        version = captures.find(org_id, capture.id).version
        late(uploads.find(org_id, first.id))
        uploads.sweep_uploads()
        assert uploads.read_upload(of(org_id), first.id).state == UploadState.expired
        assert uploads.read_upload(of(org_id), second.id).state == UploadState.waiting
        assert counts(org_id, capture.id) == (1, 1, 0, 0)
        assert captures.find(org_id, capture.id).version == version + 1

    def test_sweeping_again_changes_nothing(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        (ticket,) = customer.announce(org_id, [("a", JPEG, "image/jpeg")], capture.id)
        row = uploads.find(org_id, ticket.id)
        late(row)
        uploads.sweep_uploads()
        assert not uploads._expire(row)
        assert counts(org_id, capture.id) == (0, 0, 0, 0)

    def test_a_file_that_comes_after_all_is_not_counted(self, aws: Aws, org_id: str) -> None:
        capture = captures.open_capture(of(org_id), schemas.CaptureCreate())
        (ticket,) = customer.announce(org_id, [("a", JPEG, "image/jpeg")], capture.id)
        late(uploads.find(org_id, ticket.id))
        uploads.sweep_uploads()
        customer.send(ticket, JPEG)
        assert customer.arrive(aws, org_id, ticket.id) == UploadState.expired
        assert counts(org_id, capture.id) == (0, 0, 0, 0)
