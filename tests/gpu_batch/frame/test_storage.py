"""The store as a stage meets it: torn transfers, refusals, lost answers, listings of many pages."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.gpu_batch.frame.region import BUCKET, Region
from worker.errors import BugError, TransientError
from worker.storage import Missing, Storage, split

URI = "s3://bucket/a/b.bin"


def error(code: str) -> ClientError:
    """What S3 answers."""
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "Operation")


class Flaky:
    """An S3 client whose calls do what the test lines up: raise, or answer."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*where: Any, **how: Any) -> Any:
            del how
            self.calls.append(name)
            result = self.results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result(*where) if callable(result) else result

        return call


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which do not happen."""
    made: list[float] = []
    monkeypatch.setattr("worker.storage.time", SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def storage(region: Region, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Against the emulator; a test may put a `Flaky` in the client's place."""
    for name, value in region.environment.items():
        monkeypatch.setenv(name, value)
    return Storage()


def flaky(storage: Storage, *results: Any) -> Flaky:
    """Line results up."""
    storage._s3 = Flaky(*results)
    return storage._s3


def arrives(content: bytes) -> Callable[..., None]:
    """A transfer that leaves this in the file."""
    return lambda bucket, key, to: Path(to).write_bytes(content) and None


@pytest.mark.part("JOB-4")
class TestDownload:
    def test_a_torn_transfer_is_tried_three_times(self, storage: Storage, tmp_path: Path, pauses: list[float]) -> None:
        """Size is S3's word; the third one arrives whole."""
        size = {"ContentLength": 4}
        client = flaky(storage, size, arrives(b"a"), size, error("SlowDown"), size, arrives(b"abcd"))
        storage.download(URI, tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b"abcd"
        assert client.calls == ["head_object", "download_file"] * 3
        assert len(pauses) == 2

    @pytest.mark.parametrize("last", [arrives(b"a"), error("SlowDown")])
    def test_what_never_arrives_whole_is_weather(
        self, storage: Storage, tmp_path: Path, pauses: list[float], last: Any
    ) -> None:
        client = flaky(storage, *[{"ContentLength": 4}, last] * 3)
        with pytest.raises(TransientError):
            storage.download(URI, tmp_path / "f")
        assert (len(client.calls), len(pauses)) == (6, 2)

    @pytest.mark.parametrize(("code", "meaning"), [("404", Missing), ("403", BugError)])
    def test_what_is_not_there_or_refused_is_not_tried_again(
        self, storage: Storage, tmp_path: Path, pauses: list[float], code: str, meaning: type[Exception]
    ) -> None:
        client = flaky(storage, error(code))
        with pytest.raises(meaning):
            storage.download(URI, tmp_path / "f")
        assert (client.calls, pauses) == (["head_object"], [])

    def test_one_of_several_parts_comes_whole(self, storage: Storage, region: Region, tmp_path: Path) -> None:
        content = bytes(range(256)) * (70 << 10)
        region.put("large.bin", content)
        storage.download(f"s3://{BUCKET}/large.bin", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == content


@pytest.mark.part("JOB-4")
class TestWriteFirst:
    def test_of_two_the_second_learns_that_it_was_late(self, storage: Storage) -> None:
        uri = f"s3://{BUCKET}/first/claim.json"
        assert storage.write_first(uri, b"one", "application/json")
        assert not storage.write_first(uri, b"two", "application/json")
        assert storage.read(uri) == b"one"

    @pytest.mark.parametrize("code", ["ConditionalRequestConflict", "409"])
    def test_a_put_beside_another_one_is_tried_again(self, storage: Storage, pauses: list[float], code: str) -> None:
        """S3 says 409 while nobody has won yet."""
        client = flaky(storage, error(code), error(code), error("PreconditionFailed"))
        assert not storage.write_first(URI, b"x", "text/plain")
        assert (len(client.calls), len(pauses)) == (3, 2)

    @pytest.mark.parametrize(
        ("failure", "meaning"),
        [
            (error("AccessDenied"), BugError),
            (error("NoSuchBucket"), Missing),
            (error("SlowDown"), TransientError),
            (EndpointConnectionError(endpoint_url="x"), TransientError),
        ],
    )
    def test_any_other_failure_is_no_answer(
        self, storage: Storage, pauses: list[float], failure: Exception, meaning: type[Exception]
    ) -> None:
        flaky(storage, failure)
        with pytest.raises(meaning):
            storage.write_first(URI, b"x", "text/plain")
        assert pauses == []


@pytest.mark.part("JOB-4")
class TestMeaning:
    @pytest.mark.parametrize("code", ["403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
    def test_a_refusal_is_ours_to_mend(self, storage: Storage, code: str) -> None:
        flaky(storage, error(code))
        with pytest.raises(BugError) as caught:
            storage.read(URI)
        assert caught.value.code == "storage_refused"

    @pytest.mark.parametrize("code", ["404", "NoSuchKey", "NoSuchBucket", "NotFound"])
    def test_what_is_not_there_is_missing(self, storage: Storage, code: str) -> None:
        flaky(storage, error(code))
        with pytest.raises(Missing):
            storage.read(URI)

    def test_an_upload_that_is_refused_is_told_from_weather(self, storage: Storage, tmp_path: Path) -> None:
        """boto's transfer wraps both in the same error."""
        (tmp_path / "f").write_bytes(b"x")
        with pytest.raises(Missing):
            storage.upload(tmp_path / "f", "s3://no-such-bucket/x", "text/plain", "0")
        flaky(storage, ReadTimeoutError(endpoint_url="x"))
        with pytest.raises(TransientError):
            storage.upload(tmp_path / "f", URI, "text/plain", "0")

    def test_only_what_is_missing_does_not_exist(self, storage: Storage, region: Region) -> None:
        """Out of reach is no answer."""
        assert storage.exists(region.put("there", b"x"))
        assert not storage.exists(f"s3://{BUCKET}/nowhere")
        flaky(storage, error("503"))
        with pytest.raises(TransientError):
            storage.exists(URI)


class TestAddresses:
    def test_keys_are_taken_as_they_are(self) -> None:
        """Question marks and hashes are letters of a key."""
        assert split("s3://b/a/c#d?e=f") == ("b", "a/c#d?e=f")
        assert split("s3://b") == ("b", "")

    @pytest.mark.parametrize("uri", ["", "s3:///key", "https://b/key", "file:///etc/passwd", "b/key"])
    def test_anything_else_is_a_bug(self, uri: str) -> None:
        with pytest.raises(BugError):
            split(uri)

    def test_a_listing_has_addresses_etags_and_sizes(self, storage: Storage, region: Region) -> None:
        """ETags come without their quotes. What is deleted is not listed, and may be deleted again."""
        one, two = region.put("few/1", b"x"), region.put("few/2", b"")
        assert [(item.uri, item.bytes) for item in storage.find(f"s3://{BUCKET}/few/")] == [(one, 1), (two, 0)]
        assert not any('"' in item.etag for item in storage.find(f"s3://{BUCKET}/few/"))
        storage.delete(one)
        storage.delete(one)
        assert [item.uri for item in storage.find(f"s3://{BUCKET}/few/")] == [two]

    def test_a_listing_goes_over_all_pages(self, storage: Storage) -> None:
        """The last one may be empty."""
        pages = [{"Contents": [{"Key": key, "ETag": '"e"', "Size": 1}]} for key in ("a/1", "a/2")]
        flaky(storage, SimpleNamespace(paginate=lambda **where: [*pages, {}]))
        assert [item.uri for item in storage.find("s3://b/a/")] == ["s3://b/a/1", "s3://b/a/2"]
