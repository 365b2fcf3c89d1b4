"""Checkpoints against a real S3: what is kept comes back whole, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.gpu_batch.frame.region import BUCKET, Job, Region
from tests.gpu_batch.frame.test_attempt import work
from worker.storage import Storage
from worker.workspace import Checkpoints, SavedState


@pytest.fixture
def job(region: Region, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name, value in region.environment.items():
        monkeypatch.setenv(name, value)
    return region.job(work())


def checkpoints(job: Job, tmp_path: Path, **fields: Any) -> Checkpoints:
    """The checkpoints of the job's attempt as a new entry finds them."""
    spare = tmp_path / "spare"
    spare.mkdir(exist_ok=True)
    opened = Checkpoints(Storage(), job.manifest.model_copy(update=fields), spare)
    opened.load()
    return opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with depth, an empty file and an empty folder."""
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "none").mkdir()
    (tmp_path / "out" / "deep" / "a").write_bytes(b"a" * 1000)
    (tmp_path / "out" / "empty").touch()
    return tmp_path / "out"


@pytest.mark.part("JOB-4")
class TestCheckpoints:
    def test_a_file_and_a_folder_come_back_as_they_were(self, job: Job, tmp_path: Path, folder: Path) -> None:
        """With the state, in another entry; a folder replaces what lies at its place."""
        first = checkpoints(job, tmp_path)
        files = {"file": first.keep("file", folder / "deep" / "a"), "folder": first.keep("folder", folder)}
        first.save(SavedState(state={"n": [1, None]}, files=files, notes=("x",)))
        second = checkpoints(job, tmp_path)
        assert second.saved.state == {"n": [1, None]}
        (tmp_path / "to").mkdir()
        (tmp_path / "to" / "old").touch()
        assert second.restore("folder", tmp_path / "to")
        assert second.restore("file", tmp_path / "new" / "a")
        assert sorted(str(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*")) == [
            "deep", "deep/a", "empty", "none",
        ]  # fmt: skip
        assert (tmp_path / "to/deep/a").read_bytes() == (tmp_path / "new/a").read_bytes() == b"a" * 1000
        assert not second.restore("nothing", tmp_path / "x")
        assert list((tmp_path / "spare").iterdir()) == []

    def test_a_checkpoint_counts_only_when_the_state_names_it(self, job: Job, tmp_path: Path, folder: Path) -> None:
        """Killed between upload and state: the older one is still whole."""
        path = folder / "deep" / "a"
        first = checkpoints(job, tmp_path)
        first.save(SavedState(files={"f": first.keep("f", path)}))
        path.write_bytes(b"half done")
        first.keep("f", path)
        assert checkpoints(job, tmp_path).restore("f", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == b"a" * 1000

    def test_equal_content_has_one_object(self, job: Job, tmp_path: Path, folder: Path) -> None:
        """A folder whose files were only touched is not sent again; a replaced checkpoint is removed."""
        opened = checkpoints(job, tmp_path)
        one = opened.keep("f", folder)
        (folder / "empty").touch()
        assert opened.keep("f", folder) == one
        (folder / "empty").write_text("x")
        two = opened.keep("f", folder)
        opened.forget(one)
        assert set(job.names()) == {two.uri.removeprefix(job.manifest.output_uri)}

    def test_another_attempts_checkpoints_are_used_and_left(self, job: Job, tmp_path: Path, folder: Path) -> None:
        """`resume_uri`: its files and state, not its time; nothing of it is deleted."""
        old = checkpoints(job, tmp_path)
        kept = old.keep("f", folder)
        old.save(SavedState(state={"a": 1}, files={"f": kept}, compute_seconds=9.0, percent=50.0, interruptions=1))
        new = checkpoints(job, tmp_path, output_uri=job.manifest.output_uri + "2/", resume_uri=job.manifest.output_uri)
        assert (new.saved.state, new.saved.compute_seconds, new.saved.percent) == ({"a": 1}, 0.0, 0.0)
        assert new.saved.interruptions == 2
        assert new.restore("f", tmp_path / "to")
        new.forget(kept)
        assert old.restore("f", tmp_path / "to")

    def test_damage_is_passed_over(self, job: Job, tmp_path: Path, folder: Path, region: Region) -> None:
        """An altered file, a file that is gone, a state that is no state: start over, never use it."""
        opened = checkpoints(job, tmp_path)
        kept = opened.keep("f", folder)
        opened.save(SavedState(files={"f": kept}))
        key = kept.uri.removeprefix(f"s3://{BUCKET}/")
        region.put(key, b"altered")
        assert not checkpoints(job, tmp_path).restore("f", tmp_path / "to")
        region.client("s3").delete_object(Bucket=BUCKET, Key=key)
        assert not checkpoints(job, tmp_path).restore("f", tmp_path / "to")
        assert not (tmp_path / "to").exists()
        region.put(job.manifest.output_uri.removeprefix(f"s3://{BUCKET}/") + "checkpoints/state.json", b'{"files": 3}')
        assert checkpoints(job, tmp_path).saved == SavedState()
