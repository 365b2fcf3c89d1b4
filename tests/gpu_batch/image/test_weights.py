"""Where models are found, and that an S3 model is copied once and kept fresh."""

from pathlib import Path

import pytest

from tests.gpu_batch.frame.region import BUCKET, Region
from worker.errors import BugError
from worker.weights import model_folder


def ignored(share: float) -> None:
    """Progress is not reported."""


@pytest.fixture
def cache(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an environment that speaks to the emulator with WEIGHTS_URI on a prefix of its own."""
    for name, value in region.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEIGHTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WEIGHTS_URI", f"s3://{BUCKET}/weights-{tmp_path.name}")
    for name, body in {"model_index.json": b"{}", "vae/config.json": b"[1]", "vae/w.safetensors": b"abc"}.items():
        region.put(f"weights-{tmp_path.name}/m/{name}", body)
    region.put(f"weights-{tmp_path.name}/m2/other", b"")
    return tmp_path / "cache"


@pytest.mark.part("JOB-7")
class TestS3:
    def test_a_model_is_copied_whole_with_progress(self, cache: Path) -> None:
        """All objects of the model's prefix, none of its neighbour's."""
        shares: list[float] = []
        folder = model_folder("m", shares.append)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert files == {"model_index.json": b"{}", "vae/config.json": b"[1]", "vae/w.safetensors": b"abc"}
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert cache in folder.parents

    def test_only_what_changed_is_fetched_again(self, cache: Path, region: Region) -> None:
        """By size and ETag; a file that was altered here, or is gone there, is put right too."""
        folder = model_folder("m", ignored)
        before = (folder / "model_index.json").stat().st_mtime_ns
        prefix = f"weights-{cache.parent.name}/m"
        region.put(f"{prefix}/vae/config.json", b"[2]")
        region.client("s3").delete_object(Bucket=BUCKET, Key=f"{prefix}/vae/w.safetensors")
        assert model_folder("m", ignored) == folder
        assert (folder / "vae/config.json").read_bytes() == b"[2]"
        assert not (folder / "vae/w.safetensors").exists()
        assert (folder / "model_index.json").stat().st_mtime_ns == before
        (folder / "model_index.json").write_text("torn")
        model_folder("m", ignored)
        assert (folder / "model_index.json").read_bytes() == b"{}"

    def test_a_missing_model_says_what_to_put_where(self, cache: Path) -> None:
        """The operator reads it in the job and in the log."""
        with pytest.raises(BugError, match=r"s3://.*/nothing/.*diffusers folder") as caught:
            model_folder("nothing", ignored)
        assert caught.value.code == "model_missing"
        assert not cache.exists()


@pytest.mark.part("JOB-7")
class TestFolder:
    @pytest.mark.parametrize("form", ["{}", "file://{}"])
    def test_a_path_or_file_address_is_used_in_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        """Nothing is copied."""
        (tmp_path / "m").mkdir()
        monkeypatch.setenv("WEIGHTS_URI", form.format(tmp_path))
        assert model_folder("m", ignored) == tmp_path / "m"
        with pytest.raises(BugError, match="diffusers folder"):
            model_folder("n", ignored)

    @pytest.mark.parametrize("model", ["", ".", "..", "../secrets", "a/b", "/etc"])
    def test_a_model_cannot_lead_out_of_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
    ) -> None:
        """The name comes from a manifest."""
        monkeypatch.setenv("WEIGHTS_URI", str(tmp_path))
        with pytest.raises(BugError):
            model_folder(model, ignored)

    def test_without_weights_uri_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A broken installation is distinguished from a missing model."""
        monkeypatch.delenv("WEIGHTS_URI", raising=False)
        with pytest.raises(BugError) as caught:
            model_folder("m", ignored)
        assert caught.value.code == "weights_not_configured"
