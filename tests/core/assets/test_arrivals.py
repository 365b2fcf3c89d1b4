"""A file has arrived: checked, converted, counted exactly once."""

import hashlib
import io
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from snapforge.assets import errors, schemas
from snapforge.assets.domain import CaptureState, UploadState
from snapforge.assets.pictures import photo
from snapforge.assets.service import arrivals, captures, uploads
from snapforge.assets.store import ContentRow, PhotoRow, UploadRow
from snapforge.aws import s3, tables
from snapforge.aws.tables import Transaction, org_pk
from snapforge.kit import clock, ids
from tests.support import customer, samples
from tests.support.aws import Aws
from tests.support.links import FROZEN, ends, freeze
from tests.support.members import of


@pytest.fixture
def org_id() -> str:
    return ids.new("org")


@pytest.fixture
def capture_id(aws: Aws, org_id: str) -> str:
    return captures.open_capture(of(org_id), schemas.CaptureCreate(name="Kingfisher")).id


def counts(org_id: str, capture_id: str) -> tuple[int, int, int, int]:
    """expected, pending, usable, refused, as the row has them."""
    row = captures.find(org_id, capture_id)
    return int(row.expected), int(row.pending), int(row.usable), int(row.refused)


def keys(aws: Aws, bucket: str, prefix: str) -> set[str]:
    found = aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {one["Key"] for one in found}


@pytest.mark.part("AST-2")
class TestUsable:
    """A good photo becomes a working copy, and its original is kept whole."""

    def test_facts_files_and_counts(self, aws: Aws, org_id: str, capture_id: str) -> None:
        data = samples.jpeg(exif=samples.exif(orientation=6))
        upload_id = customer.bring(aws, org_id, data, name="IMG_1.jpg", capture_id=capture_id)
        capture = captures.capture_facts(org_id, capture_id)
        (photo,) = capture.usable
        assert (capture.state, capture.expected, capture.checked, capture.refused) == (CaptureState.ready, 1, 1, ())
        assert (photo.id, photo.name, photo.width, photo.height) == (upload_id, "IMG_1.jpg", 720, 960)
        assert photo.focal_px == pytest.approx(26 / 43.2666 * 1200, rel=1e-4)
        assert photo.facts.sha256 == hashlib.sha256(data).hexdigest()
        assert photo.uri == f"s3://{aws.assets_bucket}/photos/{org_id}/{upload_id}.jpg"
        body = (
            aws.client("s3").get_object(Bucket=aws.assets_bucket, Key=f"photos/{org_id}/{upload_id}.jpg")["Body"].read()
        )
        assert Image.open(io.BytesIO(body)).size == (720, 960)
        original = aws.client("s3").get_object(Bucket=aws.uploads_bucket, Key=f"originals/{org_id}/{upload_id}")
        assert original["Body"].read() == data
        assert keys(aws, aws.uploads_bucket, f"incoming/{org_id}/") == set()

    @pytest.mark.part("AST-3")
    def test_the_position_survives_only_in_the_private_original(self, aws: Aws, org_id: str, capture_id: str) -> None:
        upload_id = customer.bring(aws, org_id, samples.jpeg(exif=samples.exif()), capture_id=capture_id)
        store, marks = aws.client("s3"), (samples.GPS_MARK, b"GPS", b"51.4")
        for key in keys(aws, aws.assets_bucket, f"photos/{org_id}/") | keys(aws, aws.assets_bucket, "assets/"):
            body = store.get_object(Bucket=aws.assets_bucket, Key=key)["Body"].read()
            assert samples.GPS_MARK not in body
            assert b"Exif" not in body
        rows = aws.client("dynamodb").query(
            TableName="snapforge-dev-assets",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"capture#{capture_id}"}},
        )["Items"]
        told = json.dumps(rows).encode() + uploads.read_upload(of(org_id), upload_id).model_dump_json().encode()
        assert rows
        assert not any(mark in told for mark in marks)

    def test_outside_a_capture_it_is_checked_as_well(self, aws: Aws, org_id: str) -> None:
        told = uploads.read_upload(of(org_id), customer.bring(aws, org_id, samples.jpeg()))
        assert told.state == UploadState.usable
        assert told.photo is not None
        assert told.photo.width == 960
        assert told.thumbnail is not None
        assert told.thumbnail.startswith("http://127.0.0.1:9/assets/")
        left = int(parse_qs(urlsplit(told.thumbnail).query)["Expires"][0]) - clock.epoch(clock.now())
        assert 3595 <= left <= 3600 + 15 * 60

    def test_the_content_decides_not_the_announced_type(self, aws: Aws, org_id: str) -> None:
        told = uploads.read_upload(of(org_id), customer.bring(aws, org_id, samples.encoded(samples.scene(), "HEIF")))
        assert told.photo is not None
        assert told.photo.media_type == "image/heic"
        kept = aws.client("s3").head_object(Bucket=aws.uploads_bucket, Key=f"originals/{org_id}/{told.id}")
        assert kept["ContentType"] == "image/heic"

    @pytest.mark.parametrize(
        ("announced", "form", "real"),
        [
            ("image/jpeg", "HEIF", "image/heic"),
            ("image/jpeg", "PNG", "image/png"),
            ("image/png", "JPEG", "image/jpeg"),
            ("image/png", "WEBP", "image/webp"),
        ],
    )
    def test_each_copy_is_stored_as_what_it_is_not_as_what_was_announced(
        self, aws: Aws, org_id: str, capture_id: str, announced: str, form: str, real: str
    ) -> None:
        """A browser believes the stored type, and so does whoever reads the original later."""
        body = samples.encoded(samples.scene(), form)
        upload_id = customer.bring(aws, org_id, body, capture_id=capture_id, kind=announced)
        store = aws.client("s3")
        original = store.head_object(Bucket=aws.uploads_bucket, Key=f"originals/{org_id}/{upload_id}")
        assert original["ContentType"] == real
        (row,) = PhotoRow.query(f"capture#{capture_id}", PhotoRow.sk.startswith("photo#"))
        for key in (row.key, row.thumbnail):
            found = store.get_object(Bucket=aws.assets_bucket, Key=key)
            assert found["ContentType"] == Image.open(io.BytesIO(found["Body"].read())).get_format_mimetype()

    def test_the_thumbnails_link_is_good_for_an_hour_and_up_to_a_quarter_more(
        self, aws: Aws, org_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload_id = customer.bring(aws, org_id, samples.jpeg())
        freeze(monkeypatch)
        assert ends(uploads.read_upload(of(org_id), upload_id).thumbnail) == FROZEN.replace(hour=13, minute=15)


@pytest.mark.part("AST-2")
class TestRefused:
    """What cannot be used keeps its code, reason and fix, and is counted."""

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"not a photo", "not_a_picture"),
            (samples.jpeg()[:5000], "picture_damaged"),
            (samples.bomb_png(), "too_many_pixels"),
            (samples.animated("GIF"), "picture_animated"),
        ],
        ids=["text", "truncated", "bomb", "animated"],
    )
    def test_a_bad_file(self, aws: Aws, org_id: str, capture_id: str, body: bytes, code: str) -> None:
        upload_id = customer.bring(aws, org_id, body, name="bad.jpg", capture_id=capture_id)
        told = captures.read_capture(of(org_id), capture_id)
        assert told.counts == schemas.CaptureCounts(expected=1, checked=1, usable=0, refused=1)
        (photo,) = told.photos
        assert (photo.id, photo.name, photo.state) == (upload_id, "bad.jpg", "refused")
        assert photo.refused is not None
        assert photo.refused.code == code
        assert photo.refused.reason
        assert photo.refused.fix
        assert uploads.read_upload(of(org_id), upload_id).refused == photo.refused
        assert keys(aws, aws.assets_bucket, f"photos/{org_id}/") == set()

    def test_another_size_than_announced(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("a.jpg", samples.jpeg(), "image/jpeg")])
        aws.client("s3").put_object(Bucket=aws.uploads_bucket, Key=f"incoming/{org_id}/{ticket.id}", Body=b"short")
        assert customer.arrive(aws, org_id, ticket.id) == UploadState.refused
        refused = uploads.read_upload(of(org_id), ticket.id).refused
        assert refused is not None
        assert refused.code == "size_differs"

    def test_another_content_than_its_checksum_says(self, aws: Aws, org_id: str) -> None:
        data = samples.jpeg()
        file = schemas.FileAnnounced(name="a", bytes=len(data), media_type="image/jpeg", sha256="0" * 64)
        (ticket,) = uploads.presign(of(org_id), schemas.UploadsPresign(files=[file])).uploads
        aws.client("s3").put_object(Bucket=aws.uploads_bucket, Key=f"incoming/{org_id}/{ticket.id}", Body=data)
        assert customer.arrive(aws, org_id, ticket.id) == UploadState.refused
        refused = uploads.read_upload(of(org_id), ticket.id).refused
        assert refused is not None
        assert refused.code == "checksum_differs"

    def test_later_than_its_expiry(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("a", samples.jpeg(), "image/jpeg")])
        customer.send(ticket, samples.jpeg())
        long_after = clock.rfc3339(clock.now() + timedelta(hours=2))
        assert customer.arrive(aws, org_id, ticket.id, time=long_after) == UploadState.refused
        refused = uploads.read_upload(of(org_id), ticket.id).refused
        assert refused is not None
        assert refused.code == "upload_expired"

    @pytest.mark.parametrize("key", ["elsewhere/x", "incoming/loose", "incoming/org_x/upl_x", "incoming/a/b/c"])
    def test_an_object_that_nobody_announced_is_left_alone(self, aws: Aws, key: str) -> None:
        event = customer.object_created(aws, key, 5)
        assert arrivals.check_arrival(customer.as_arrival(event)) is None


@pytest.mark.part("AST-2")
class TestDuplicates:
    """The same file is used once in a capture."""

    def test_the_second_is_refused_and_names_the_first(self, aws: Aws, org_id: str, capture_id: str) -> None:
        first = customer.bring(aws, org_id, samples.jpeg(), name="one.jpg", capture_id=capture_id)
        second = customer.bring(aws, org_id, samples.jpeg(), name="two.jpg", capture_id=capture_id)
        told = {photo.id: photo for photo in captures.read_capture(of(org_id), capture_id).photos}
        assert told[first].state == "usable"
        refused = told[second].refused
        assert refused is not None
        assert (refused.code, told[second].duplicate_of) == ("duplicate_photo", first)
        assert "one.jpg" in refused.reason
        assert counts(org_id, capture_id) == (2, 0, 1, 1)

    def test_a_photo_that_is_there_already_is_not_converted_again(
        self, aws: Aws, org_id: str, capture_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would cost a second of a CPU each; in another capture it is a photo of its own."""
        prepared: list[int] = []
        prepare = photo.prepare

        def noting(data: bytes) -> photo.Prepared:
            prepared.append(len(data))
            return prepare(data)

        monkeypatch.setattr(photo, "prepare", noting)
        data = samples.jpeg(seed=31)
        for _ in range(2):
            customer.bring(aws, org_id, data, capture_id=capture_id)
        assert prepared == [len(data)]
        customer.bring(aws, org_id, data, capture_id=captures.open_capture(of(org_id), schemas.CaptureCreate()).id)
        assert prepared == [len(data)] * 2

    def test_all_photos_equal_leave_one(self, aws: Aws, org_id: str, capture_id: str) -> None:
        for _ in range(5):
            customer.bring(aws, org_id, samples.jpeg(), capture_id=capture_id)
        capture = captures.capture_facts(org_id, capture_id)
        assert (len(capture.usable), Counter(one.refusal.code for one in capture.refused)) == (
            1,
            {"duplicate_photo": 4},
        )

    def test_in_another_capture_it_is_used_again(self, aws: Aws, org_id: str, capture_id: str) -> None:
        other = captures.open_capture(of(org_id), schemas.CaptureCreate()).id
        for capture in (capture_id, other):
            customer.bring(aws, org_id, samples.jpeg(), capture_id=capture)
            assert counts(org_id, capture) == (1, 0, 1, 0)

    def test_two_that_arrive_at_once_leave_one_and_no_litter(
        self, aws: Aws, org_id: str, capture_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second finds nobody when it looks, and the first's claim when it writes."""
        customer.bring(aws, org_id, samples.jpeg(), capture_id=capture_id)
        monkeypatch.setattr(tables, "find", unseen(tables.find))
        second = customer.bring(aws, org_id, samples.jpeg(), capture_id=capture_id)
        assert counts(org_id, capture_id) == (2, 0, 1, 1)
        assert not keys(aws, aws.assets_bucket, f"photos/{org_id}/{second}")
        assert not keys(aws, aws.uploads_bucket, f"originals/{org_id}/{second}")


def unseen(find: Any) -> Any:
    """`tables.find` that never sees whose content it is."""
    return lambda row, pk, sk, **more: None if row is ContentRow else find(row, pk, sk, **more)


@pytest.mark.part("AST-2")
class TestDeliveredOften:
    """S3's news comes at least once; it counts once."""

    def test_eight_at_a_time(self, aws: Aws, org_id: str, capture_id: str) -> None:
        files = [(f"{n}.jpg", samples.encoded(samples.scene(480, 360, n)), "image/jpeg") for n in range(4)]
        files.append(("bad.jpg", b"no photo", "image/jpeg"))
        tickets = customer.announce(org_id, files, capture_id)
        for ticket, (_, body, _) in zip(tickets, files, strict=True):
            customer.send(ticket, body)
        news = [customer.as_arrival(customer.news(aws, org_id, ticket.id)) for ticket in tickets]
        version = captures.find(org_id, capture_id).version
        with ThreadPoolExecutor(8) as pool:
            states = Counter(pool.map(arrivals.check_arrival, [one for one in news for _ in range(8)]))
        assert states == {UploadState.usable: 32, UploadState.refused: 8}
        assert counts(org_id, capture_id) == (5, 0, 4, 1)
        assert captures.find(org_id, capture_id).version == version + 5

    def test_the_same_file_under_eight_names_at_once(self, aws: Aws, org_id: str, capture_id: str) -> None:
        data = samples.encoded(samples.scene(480, 360))
        tickets = customer.announce(org_id, [(f"{n}.jpg", data, "image/jpeg") for n in range(8)], capture_id)
        for ticket in tickets:
            customer.send(ticket, data)
        news = [customer.as_arrival(customer.news(aws, org_id, ticket.id)) for ticket in tickets]
        with ThreadPoolExecutor(8) as pool:
            states = Counter(pool.map(arrivals.check_arrival, news))
        assert states == {UploadState.usable: 1, UploadState.refused: 7}
        assert counts(org_id, capture_id) == (8, 0, 1, 7)
        assert len(keys(aws, aws.assets_bucket, f"photos/{org_id}/")) == 1

    def test_a_crash_before_the_transaction_is_made_good_by_the_next_delivery(
        self, aws: Aws, org_id: str, capture_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (ticket,) = customer.announce(org_id, [("a.jpg", samples.jpeg(), "image/jpeg")], capture_id)
        customer.send(ticket, samples.jpeg())
        event = customer.as_arrival(customer.news(aws, org_id, ticket.id))
        with monkeypatch.context() as patch:
            patch.setattr(arrivals, "_record", crash)
            with pytest.raises(ConnectionError):
                arrivals.check_arrival(event)
        assert counts(org_id, capture_id) == (1, 1, 0, 0)
        assert arrivals.check_arrival(event) == UploadState.usable
        assert counts(org_id, capture_id) == (1, 0, 1, 0)

    def test_a_crash_after_it_leaves_only_the_tidying(
        self, aws: Aws, org_id: str, capture_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (ticket,) = customer.announce(org_id, [("a.jpg", samples.jpeg(), "image/jpeg")], capture_id)
        customer.send(ticket, samples.jpeg())
        event = customer.as_arrival(customer.news(aws, org_id, ticket.id))
        with monkeypatch.context() as patch:
            patch.setattr(s3, "delete", crash)
            with pytest.raises(ConnectionError):
                arrivals.check_arrival(event)
        assert keys(aws, aws.uploads_bucket, f"incoming/{org_id}/")
        assert arrivals.check_arrival(event) == UploadState.usable
        assert not keys(aws, aws.uploads_bucket, f"incoming/{org_id}/")
        assert counts(org_id, capture_id) == (1, 0, 1, 0)

    def test_it_expires_while_it_is_checked(
        self, aws: Aws, org_id: str, capture_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sweeper was faster: the photo is not counted, though the capture waits for another."""
        first, _ = customer.announce(
            org_id, [(name, samples.jpeg(), "image/jpeg") for name in ("a.jpg", "b.jpg")], capture_id
        )
        customer.send(first, samples.jpeg())
        check = arrivals._check

        def overtaken(upload: UploadRow, arrival: arrivals.Arrival) -> arrivals.Checked:
            checked = check(upload, arrival)
            assert uploads._expire(upload)
            return checked

        monkeypatch.setattr(arrivals, "_check", overtaken)
        assert customer.arrive(aws, org_id, first.id) == UploadState.expired
        assert counts(org_id, capture_id) == (1, 1, 0, 0)
        assert captures.capture_facts(org_id, capture_id).usable == ()

    def test_the_object_is_gone_because_another_delivery_was_faster(self, aws: Aws, org_id: str) -> None:
        (ticket,) = customer.announce(org_id, [("a.jpg", samples.jpeg(), "image/jpeg")])
        event = customer.object_created(aws, f"incoming/{org_id}/{ticket.id}", len(samples.jpeg()))
        assert arrivals.check_arrival(customer.as_arrival(event)) == UploadState.waiting


def crash(*_: object, **__: object) -> None:
    raise ConnectionError("the process ends here")


@pytest.mark.part("AST-2")
class TestRequireReadyCapture:
    """A job starts only on the photos that its price was for."""

    def ready(self, org_id: str, capture_id: str, version: int) -> None:
        tx = Transaction()
        captures.require_ready_capture(tx, org_id, capture_id, version)
        probe = UploadRow(org_pk(org_id), f"probe#{ids.new('event')}")
        tx.update(probe, [UploadRow.name.set("x")], failed=lambda _: RuntimeError())
        tx.commit()

    def test_checked_to_its_end_and_unchanged_it_passes(self, aws: Aws, org_id: str, capture_id: str) -> None:
        customer.bring(aws, org_id, samples.jpeg(), capture_id=capture_id)
        capture = captures.capture_facts(org_id, capture_id)
        self.ready(org_id, capture_id, capture.version)
        (ticket,) = customer.announce(org_id, [("b.jpg", samples.jpeg(1), "image/jpeg")], capture_id)
        pending = captures.capture_facts(org_id, capture_id)
        assert pending.state == CaptureState.checking
        for version in (capture.version, pending.version):
            with pytest.raises(errors.CaptureNotReady):
                self.ready(org_id, capture_id, version)
        customer.send(ticket, samples.jpeg(1))
        customer.arrive(aws, org_id, ticket.id)
        with pytest.raises(errors.CaptureNotReady):
            self.ready(org_id, capture_id, capture.version)
        self.ready(org_id, capture_id, captures.capture_facts(org_id, capture_id).version)

    def test_empty_or_absent_it_does_not(self, aws: Aws, org_id: str, capture_id: str) -> None:
        for absent in (capture_id, ids.new("capture")):
            with pytest.raises(errors.CaptureNotReady):
                self.ready(org_id, absent, 1)
        with pytest.raises(errors.CaptureNotFound):
            captures.capture_facts(ids.new("org"), capture_id)


@pytest.mark.part("AST-1")
class TestNewsOfS3:
    """What S3 itself sends through EventBridge and SQS."""

    def test_it_is_read(self, aws: Aws, org_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bucket of its own, so that other tests' objects make no news here."""
        bucket = f"news-{org_id[4:].lower()}"
        store, queues, rules = aws.client("s3"), aws.client("sqs"), aws.client("events")
        store.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        store.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        url = queues.create_queue(QueueName=bucket)["QueueUrl"]
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
        rules.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
        arn = f"arn:aws:sqs:eu-central-1:000000000000:{bucket}"
        rules.put_targets(Rule=bucket, Targets=[{"Id": "queue", "Arn": arn}])
        monkeypatch.setenv("UPLOADS_BUCKET", bucket)
        (ticket,) = customer.announce(org_id, [("a.jpg", samples.jpeg(), "image/jpeg")])
        customer.send(ticket, samples.jpeg())
        (message,) = queues.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        arrival = customer.as_arrival(json.loads(message["Body"]))
        assert (arrival.key, arrival.bytes) == (f"incoming/{org_id}/{ticket.id}", len(samples.jpeg()))
        assert abs(arrival.at - clock.now()) < timedelta(minutes=1)
        assert arrivals.check_arrival(arrival) == UploadState.usable
