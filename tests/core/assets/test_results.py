"""Results of jobs become assets: published, registered once, delivered by signed links, with variants."""

import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from PIL import Image

from snapforge.assets import errors, schemas
from snapforge.assets.events import asset_created
from snapforge.assets.service import captures, delivery, gallery, results, variants
from snapforge.aws import secrets
from snapforge.aws.tables import Transaction
from snapforge.contracts.results import ResultFile, Role
from snapforge.kit import clock, ids
from snapforge.kit.page import InvalidCursor
from tests.support import samples
from tests.support.aws import Aws
from tests.support.members import of
from tests.support.results import settle, unsent, verify, work


@pytest.fixture
def org_id() -> str:
    return ids.new("org")


@pytest.fixture
def job_id() -> str:
    return ids.new("job")


def picture(seed: int = 0) -> tuple[Role, str, bytes]:
    return "picture", "image/png", samples.encoded(samples.scene(seed=seed), "PNG")


def stored(aws: Aws, key: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.client("s3").get_object(Bucket=aws.assets_bucket, Key=key)
    return found


@pytest.mark.part("AST-4")
class TestPublishAndRegister:
    """Content-addressed, immutable, once."""

    def test_files_lie_under_their_content_and_runs_can_be_swept(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(
            aws, job_id, {"picture-00.png": picture(), "model.glb": ("model_glb", "model/gltf-binary", b"glTF")}
        )
        keys = results.publish_results(files, prefix)
        assert keys == results.publish_results(files, prefix)
        for file in files:
            aws.client("s3").delete_object(Bucket=aws.assets_bucket, Key=f"runs/{job_id}/1/1/{file.name}")
            found = stored(aws, keys[file.name])
            assert hashlib.sha256(found["Body"].read()).hexdigest() == file.sha256
            assert found["CacheControl"] == "public, max-age=31536000, immutable"
            assert found["ContentType"] == file.media_type
        assert keys["model.glb"].startswith("assets/")
        assert keys["model.glb"].endswith(".glb")

    def test_a_second_settle_changes_nothing(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(aws, job_id, {"picture-00.png": picture(), "picture-01.png": picture(1)})
        first = settle(aws, org_id, job_id, prefix, files)
        variants.make_variants(asset_created(org_id, job_id, first))
        before = gallery.list_job_assets(org_id, job_id)
        assert settle(aws, org_id, job_id, prefix, files) == first
        assert gallery.list_job_assets(org_id, job_id) == before
        assert [asset.id for asset in before] == first
        assert all(asset.variants for asset in before)
        assert before[1].parameters == {"prompt": "a jay", "seed": 1}

    def test_news_of_it_is_written_in_the_same_transaction(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(aws, job_id, {"picture-00.png": picture()})
        made = settle(aws, org_id, job_id, prefix, files)
        (event,) = unsent(org_id)
        assert (event.type, event.data) == ("asset.created", {"job_id": job_id, "asset_ids": made})

    def test_a_transaction_that_fails_registers_nothing(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(aws, job_id, {"picture-00.png": picture()})
        tx = Transaction()
        results.register_results(
            tx, org_id=org_id, job_id=job_id, kind="image", files=files, prefix_uri=prefix, parameters={}
        )
        captures.require_ready_capture(tx, org_id, ids.new("capture"), 1)
        with pytest.raises(errors.CaptureNotReady):
            tx.commit()
        assert gallery.list_job_assets(org_id, job_id) == []
        assert unsent(org_id) == []

    def test_a_job_without_files_makes_no_news(self, aws: Aws, org_id: str, job_id: str) -> None:
        tx = Transaction()
        given: dict[str, Any] = {"org_id": org_id, "job_id": job_id, "kind": "image", "prefix_uri": "s3://a/b/"}
        assert results.register_results(tx, files=[], parameters={}, **given) == []
        assert unsent(org_id) == []

    def test_forty_files_fit_beside_a_settle(self, aws: Aws, org_id: str, job_id: str) -> None:
        files = [
            ResultFile(name=f"p-{n:02}.png", role="picture", media_type="image/png", bytes=1, sha256=f"{n:064x}")
            for n in range(40)
        ]
        tx = Transaction()
        given: dict[str, Any] = {"org_id": org_id, "job_id": job_id, "kind": "image", "prefix_uri": "s3://a/b/"}
        assert len(results.register_results(tx, files=files, parameters={}, **given)) == 40
        tx.commit()
        assert [asset.name for asset in gallery.list_job_assets(org_id, job_id)] == [file.name for file in files]


@pytest.mark.part("AST-4")
class TestReading:
    """One asset, the newest of an org, those of a job; nobody else's."""

    def test_pages_newest_first(self, aws: Aws, org_id: str) -> None:
        made = []
        for _ in range(5):
            job = ids.new("job")
            prefix, files = work(aws, job, {"report.json": ("report", "application/json", job.encode())})
            made += settle(aws, org_id, job, prefix, files)
        seen, cursor = [], None
        while True:
            page = gallery.list_assets(of(org_id), schemas.AssetsQuery(limit=2, cursor=cursor))
            seen += [asset.id for asset in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == sorted(made, reverse=True)
        with pytest.raises(InvalidCursor):
            gallery.list_assets(of(org_id), schemas.AssetsQuery(cursor="am9iI3g"))

    def test_the_assets_of_one_job(self, aws: Aws, org_id: str, job_id: str) -> None:
        twin = job_id[:-16] + ids.new("job")[-16:]
        for job in (job_id, twin):
            prefix, files = work(aws, job, {"report.json": ("report", "application/json", job.encode())})
            settle(aws, org_id, job, prefix, files)
        page = gallery.list_assets(of(org_id), schemas.AssetsQuery(job_id=job_id))
        assert [asset.job_id for asset in page.items] == [job_id]

    def test_another_org_finds_nothing(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(aws, job_id, {"report.json": ("report", "application/json", b"{}")})
        (asset_id,) = settle(aws, org_id, job_id, prefix, files)
        assert gallery.read_asset(of(org_id), asset_id).name == "report.json"
        stranger = ids.new("org")
        with pytest.raises(errors.AssetNotFound):
            gallery.read_asset(of(stranger), asset_id)
        assert gallery.list_job_assets(stranger, job_id) == []
        assert gallery.list_assets(of(stranger), schemas.AssetsQuery()).items == []


@pytest.mark.part("AST-3")
class TestMakeVariants:
    """JPEG, WebP, AVIF and a thumbnail of each picture, and of nothing else."""

    def test_pictures_get_four_forms_under_their_content(self, aws: Aws, org_id: str, job_id: str) -> None:
        big = samples.encoded(samples.scene(3000, 2000), "PNG", pnginfo=None)
        prefix, files = work(
            aws, job_id, {"a.png": ("picture", "image/png", big), "m.glb": ("model_glb", "model/gltf-binary", b"glTF")}
        )
        made = settle(aws, org_id, job_id, prefix, files)
        event = asset_created(org_id, job_id, made)
        assert variants.make_variants(event) == 1
        assert variants.make_variants(event) == 0
        asset, model = gallery.list_job_assets(org_id, job_id)
        assert model.variants == ()
        assert {variant.name: (variant.width, variant.height) for variant in asset.variants} == {
            "jpeg": (2048, 1365),
            "webp": (2048, 1365),
            "avif": (2048, 1365),
            "thumbnail": (320, 213),
        }
        for variant in asset.variants:
            found = stored(aws, variant.key)
            body = found["Body"].read()
            assert (found["ContentType"], found["CacheControl"]) == (variant.media_type, results.IMMUTABLE)
            assert len(body) == variant.bytes
            assert hashlib.sha256(body).hexdigest() in variant.key
            assert Image.open(io.BytesIO(body)).size == (variant.width, variant.height)
        assert hashlib.sha256(stored(aws, asset.key)["Body"].read()).hexdigest() == hashlib.sha256(big).hexdigest()

    def test_the_api_shows_them_with_signed_links(self, aws: Aws, org_id: str, job_id: str) -> None:
        prefix, files = work(aws, job_id, {"a.png": picture()})
        (asset_id,) = settle(aws, org_id, job_id, prefix, files)
        assert gallery.read_asset(of(org_id), asset_id).variants == []
        variants.make_variants(asset_created(org_id, job_id, [asset_id]))
        told = gallery.read_asset(of(org_id), asset_id)
        assert [link.name for link in told.variants] == ["jpeg", "webp", "avif", "thumbnail"]
        for link in (told.original, *told.variants):
            verify(link.url)


@pytest.mark.part("AST-4")
class TestSignedLinks:
    """CloudFront's canned policy, RSA-SHA1."""

    def test_a_link_ends_when_it_says(self, aws: Aws) -> None:
        until = clock.now() + timedelta(hours=1)
        url = delivery.link("assets/ab/abc.glb", until)
        assert verify(url) == clock.epoch(until)
        assert urlsplit(url).path == "/assets/ab/abc.glb"

    def test_links_of_one_quarter_of_an_hour_are_equal(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """A browser's cache of a year, keyed by the address, would be of no use otherwise."""
        start, made = datetime(2026, 11, 21, 12, tzinfo=UTC), []
        for minutes in (1, 14, 16):
            monkeypatch.setattr(clock, "now", lambda minutes=minutes: start + timedelta(minutes=minutes))
            made.append(delivery.sign("assets/ab/abc.glb", expires_in=timedelta(hours=1)))
        assert made[0] == made[1] != made[2]
        assert verify(made[0]) == clock.epoch(start) + 75 * 60

    @pytest.mark.parametrize(("seconds", "minutes"), [(0, 60), (1, 75), (900, 75), (901, 90)])
    def test_a_link_lives_an_hour_and_up_to_the_next_quarter(
        self, monkeypatch: pytest.MonkeyPatch, seconds: int, minutes: int
    ) -> None:
        start = datetime(2026, 11, 21, 12, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=seconds))
        assert delivery.expiry() == start + timedelta(minutes=minutes)

    def test_an_altered_link_does_not_verify(self, aws: Aws) -> None:
        url = delivery.sign("assets/ab/abc.glb", expires_in=timedelta(days=7))
        ends = str(verify(url))
        for altered in (url.replace("abc.glb", "abd.glb"), url.replace(ends, str(int(ends) + 1))):
            with pytest.raises(InvalidSignature):
                verify(altered)

    def test_what_is_not_deliverable_is_never_signed(self, aws: Aws) -> None:
        for key in ("runs/job/1/1/manifest.json", "photos/org/upl.jpg", "originals/x"):
            with pytest.raises(ValueError, match="not deliverable"):
                delivery.sign(key, expires_in=timedelta(hours=1))

    def test_only_an_rsa_key_is_taken(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519

        pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        monkeypatch.setattr(secrets, "read", lambda _: {"key_pair_id": "K2", "private_key": pem.decode()})
        with pytest.raises(TypeError, match="RSA"):
            delivery.sign("assets/a/b.png", expires_in=timedelta(hours=1))
