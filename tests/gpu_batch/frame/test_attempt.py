"""One attempt from its manifest to its last report, in real processes against S3 and SQS."""

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from snapforge.contracts.manifest import ImageWork, Photo, SceneWork
from snapforge.contracts.reports import Done, Failed, FailureCategory
from snapforge.contracts.results import Result
from tests.gpu_batch.frame.region import BUCKET, Job, Region


def work(**fields: Any) -> ImageWork:
    """A toy's work order."""
    defaults: dict[str, Any] = {
        "model": "m",
        "prompt": "p",
        "width": 64,
        "height": 2,
        "steps": 10,
        "guidance": 0.0,
        "seed": 7,
        "count": 3,
    }
    return ImageWork.model_validate(defaults | fields)


@pytest.fixture(scope="module")
def quiet(region: Region) -> Job:
    """An undisturbed job, finished, slow enough for several reports within a stage."""
    job = region.job(work(guidance=0.1, steps=25))
    assert job.run().code == 0
    return job


@pytest.fixture(scope="module")
def whole(region: Region) -> Job:
    """An undisturbed job, finished: what the disturbed ones have to equal. Each stage lasts long enough to be hit."""
    job = region.job(work(guidance=0.05, count=8, height=24))
    assert job.run().code == 0
    return job


@pytest.mark.part("JOB-4")
class TestDone:
    def test_results_are_described_as_they_lie_in_s3(self, quiet: Job) -> None:
        """Names, sizes, digests and media types of result.json are those of the objects."""
        objects = quiet.objects()
        names = [file.name for file in quiet.result.files]
        assert names == ["picture-00.bin", "picture-01.bin", "picture-02.bin", "big.bin"]
        for file in quiet.result.files:
            assert file.bytes == len(objects[file.name])
            assert file.sha256 == hashlib.sha256(objects[file.name]).hexdigest()
            key = f"{quiet.manifest.output_uri}{file.name}".split(f"{BUCKET}/")[1]
            head = quiet.region.client("s3").head_object(Bucket=BUCKET, Key=key)
            assert head["ContentType"] == file.media_type
            assert head["Metadata"]["sha256"] == file.sha256

    def test_the_result_names_job_engine_notes_and_usage(self, quiet: Job) -> None:
        """The receipt has all stages, their times and memory, and no interruption."""
        result = quiet.result
        assert (result.job_id, result.run, result.attempt) == (quiet.manifest.job_id, 1, 1)
        assert (result.engine, result.model, result.notes) == ("toy", "toy-image", ("A toy drew this.",))
        assert [stage.stage for stage in result.usage.stages] == ["fetch", "count", "render", "pack"]
        assert all(stage.peak_mib > 10 for stage in result.usage.stages)
        assert result.usage.stages[1].seconds >= 2.5
        assert result.usage.compute_seconds >= sum(stage.seconds for stage in result.usage.stages)
        assert (result.usage.device, result.usage.instance_type, result.usage.interruptions) == ("cpu", "local", 0)
        assert result.usage.started_at < result.usage.ended_at
        assert result.files[1].model_dump(include={"role", "width", "height", "seed"}) == {
            "role": "picture", "width": 64, "height": 32, "seed": 8,
        }  # fmt: skip

    @pytest.mark.part("JOB-5")
    def test_each_stage_is_reported_and_percent_never_falls(self, quiet: Job) -> None:
        """Each stage's start is reported, percent never falls, a stage reports at most every 2 s, and Done is last."""
        assert isinstance(quiet.last, Done)
        assert quiet.last.result_uri == quiet.manifest.output_uri + "result.json"
        assert quiet.last.batch_job_id == "batch-1"
        progress = quiet.progress
        assert list(dict.fromkeys(report.stage for report in progress)) == [
            "fetch",
            "count",
            "render",
            "pack",
            "upload",
        ]
        percents = [report.percent for report in progress]
        assert percents == sorted(percents)
        assert percents[0] == 0
        assert percents[-1] < 100
        within = [report for report in progress if report.message.startswith("number")]
        assert 1 <= len(within) <= 2
        assert any(report.eta_seconds is not None for report in progress)
        starts = {report.stage: report.at for report in reversed(progress)}
        assert (within[0].at - starts["count"]).total_seconds() >= 1.9

    def test_nothing_is_left_on_the_machine_and_the_log_is_json(self, region: Region, tmp_path: Path) -> None:
        """The scratch folder is gone afterwards; each log line is an object that names the Batch job."""
        worker = region.job(work(count=1)).run(WORKSPACE=str(tmp_path))
        assert worker.code == 0
        assert list(tmp_path.iterdir()) == []
        assert {line["batch_job_id"] for line in worker.log} == {"batch-1"}
        assert [line["stage"] for line in worker.log if line["message"] == "stage"] == ["count", "render", "pack"]

    @pytest.mark.part("JOB-10")
    def test_photos_are_laid_out_for_the_stages(self, region: Region) -> None:
        """A scene's photos lie in photos/ by their index, with their own suffix."""
        photos = tuple(
            Photo(uri=region.put(f"photos/{index}.{suffix}", b"x" * (index + 1)), name=f"{index}", width=1, height=1)
            for index, suffix in enumerate(("jpg", "PNG", "jpg"))
        )
        job = region.job(SceneWork(photos=photos, preset="draft"))
        assert job.run().code == 0
        assert job.files()["listing.txt"] == b"000.jpg 1\n001.png 2\n002.jpg 3"

    def test_a_manifest_of_the_contract_before_is_taken(self, region: Region) -> None:
        """Old and new code overlap in every deploy: contract N-1, and fields that this release does not know."""
        job = region.job(work(count=1))
        older = job.manifest.model_dump_json().replace('"contract":1', '"contract":0,"unheard_of":[]')
        uri = region.put(f"manifests/{job.manifest.job_id}.json", older.encode())
        assert job.start_on(uri).wait() == 0
        assert isinstance(job.last, Done)


@pytest.mark.part("JOB-4")
class TestClaim:
    def test_of_two_at_once_one_works_and_the_other_leaves_silently(self, region: Region) -> None:
        """Dispatch ran twice: two Batch jobs race for one attempt."""
        job = region.job(work(count=1))
        racers = [job.start(batch_job_id=name) for name in ("batch-a", "batch-b")]
        assert [racer.wait() for racer in racers] == [0, 0]
        assert isinstance(job.last, Done)
        assert len({report.batch_job_id for report in job.receive_reports()}) == 1
        assert sorted(any(line["message"] == "stage" for line in racer.log) for racer in racers) == [False, True]

    def test_another_batch_job_leaves_a_finished_attempt_alone(self, region: Region) -> None:
        """A Batch job that comes later changes nothing and says nothing."""
        job = region.job(work(count=1))
        job.run("batch-a")
        before, reports = job.objects(), len(job.receive_reports())
        assert job.run("batch-b").code == 0
        assert job.objects() == before
        assert len(job.receive_reports()) == reports

    def test_an_entry_after_the_result_only_reports_done_again(self, region: Region) -> None:
        """The entry before wrote result.json and died before its report."""
        job = region.job(work(count=1))
        job.run()
        before = job.objects()
        job.clear_reports()
        worker = job.run(batch_attempt=2)
        assert worker.code == 0
        assert isinstance(job.last, Done)
        assert len(job.reports) == 1
        assert job.objects() == before


@pytest.mark.part("JOB-4")
class TestFailed:
    @pytest.mark.parametrize(
        ("end", "category", "code", "exit_code"),
        [
            ("input", "input", "too_plain", 65),
            ("quality", "insufficient_quality", "too_rough", 65),
            ("memory", "out_of_memory", "out_of_memory", 75),
            ("cuda", "out_of_memory", "out_of_memory", 75),
            ("network", "transient", "network", 75),
            ("bug", "bug", "unexpected_error", 70),
        ],
    )
    def test_each_end_has_its_category_and_exit_code(
        self, region: Region, end: str, category: str, code: str, exit_code: int
    ) -> None:
        """The control plane hears why; Batch sees by the exit code whether another try is worth it."""
        job = region.job(work(prompt=end, steps=1, count=1))
        assert job.run().code == exit_code
        last = job.last
        assert isinstance(last, Failed)
        assert (last.category, last.code) == (category, code)
        assert last.message
        assert "result.json" not in job.names()
        assert last.result_uri == job.manifest.output_uri + "partial.json"
        partial = Result.model_validate_json(job.read("partial.json"))
        assert [stage.stage for stage in partial.usage.stages] == ["fetch", "count", "render"]
        assert [file.name for file in partial.files] == (["picture-00.bin"] if end == "quality" else [])
        if end == "quality":
            assert "picture-00.bin" in job.names()
            assert last.fix == "Take more photos."

    def test_a_missing_photo_is_named(self, region: Region) -> None:
        """A photo that is no longer stored is the input's fault, and says which."""
        photo = Photo(uri=f"s3://{BUCKET}/nowhere.jpg", name="IMG_1.jpg", width=1, height=1)
        job = region.job(SceneWork(photos=(photo,), preset="draft"))
        assert job.run().code == 65
        assert isinstance(job.last, Failed)
        assert job.last.code == "photo_missing"
        assert "IMG_1.jpg" in job.last.message

    def test_a_full_disk_is_another_try(self, region: Region) -> None:
        """Writes beyond RLIMIT_FSIZE fail; the report still gets out, and what was kept stays."""
        job = region.job(work(count=1))
        assert job.run(largest_file=1 << 20).code == 75
        assert isinstance(job.last, Failed)
        assert (job.last.category, job.last.code) == (FailureCategory.transient, "disk_full")
        job.clear_reports()
        assert job.run(batch_attempt=2).code == 0
        assert job.result.usage.interruptions == 1

    def test_a_full_disk_while_fetching_is_another_try(self, region: Region) -> None:
        """The same, where the photos do not fit."""
        photo = Photo(uri=region.put("big.jpg", b"x" * (2 << 20)), name="big.jpg", width=1, height=1)
        job = region.job(SceneWork(photos=(photo,), preset="draft"))
        assert job.run(largest_file=1 << 20).code == 75
        assert isinstance(job.last, Failed)
        assert job.last.code == "disk_full"

    def test_past_the_deadline_it_ends_by_itself(self, region: Region) -> None:
        """A deadline that passes within a stage, and one that has passed before."""
        for ahead in (2.0, -5.0):
            job = region.job(work(steps=1000, guidance=0.05), deadline=datetime.now(UTC) + timedelta(seconds=ahead))
            assert job.run().code == 65
            assert isinstance(job.last, Failed)
            assert (job.last.category, job.last.code) == (FailureCategory.deadline, "deadline")


@pytest.mark.part("JOB-4")
class TestBadManifest:
    @pytest.mark.parametrize(
        "change", [("count", "many"), ("contract", 2), ("contract", -1), ("work", {"kind": "song"})]
    )
    def test_an_unreadable_manifest_is_reported_to_the_queue_that_it_names(
        self, region: Region, change: tuple[str, Any]
    ) -> None:
        """The manifest still says whose it is: the job fails at once as ours to mend."""
        job = region.job(work())
        fields = job.manifest.model_dump(mode="json")
        (fields["work"] if change[0] == "count" else fields)[change[0]] = change[1]
        uri = region.put(f"manifests/{job.manifest.job_id}.json", json.dumps(fields).encode())
        assert job.start_on(uri).wait() == 64
        assert isinstance(job.last, Failed)
        assert (job.last.category, job.last.code) == (FailureCategory.bug, "bad_manifest")
        assert job.names() == []

    @pytest.mark.parametrize("body", [b"", b"\xff{", b"[]", b'{"job_id": 1}'])
    def test_garbage_ends_quietly(self, region: Region, body: bytes) -> None:
        """Where not even the queue is named there is the exit code alone."""
        job = region.job(work())
        worker = job.start_on(region.put(f"manifests/{job.manifest.job_id}", body))
        assert worker.wait() == 64
        assert job.receive_reports() == []
        assert worker.log[-1]["level"] == "ERROR"

    def test_no_manifest_or_no_address(self, region: Region) -> None:
        """A missing object, a missing bucket, no s3:// address."""
        job = region.job(work())
        for uri in (f"s3://{BUCKET}/nothing.json", "s3://no-such-bucket/m.json", "", "file:///etc/passwd"):
            assert job.start_on(uri).wait() == 64


@pytest.mark.part("JOB-4")
class TestReentry:
    def test_sigterm_within_a_stage_keeps_what_is_done(self, region: Region, whole: Job) -> None:
        """Spot takes the machine: Failed `interrupted` is reported; the next entry ends with equal bytes."""
        job = region.job(whole.manifest.work)
        worker = job.start()
        job.wait_for_stage("count")
        time.sleep(0.2)
        assert worker.terminate() == 75
        assert isinstance(job.last, Failed)
        assert (job.last.category, job.last.code) == (FailureCategory.transient, "interrupted")
        counted = Result.model_validate_json(job.read("partial.json")).usage
        floor = max(report.percent for report in job.progress)
        job.clear_reports()
        assert job.run(batch_attempt=2).code == 0
        assert isinstance(job.last, Done)
        assert job.files() == whole.files()
        usage = job.result.usage
        assert usage.interruptions == 1
        assert usage.compute_seconds > counted.compute_seconds
        assert usage.started_at == counted.started_at
        assert usage.stages[1].seconds >= 0.5
        assert min(report.percent for report in job.progress) >= floor

    @pytest.mark.parametrize("stage", ["fetch", "count", "render", "pack", "upload"])
    def test_sigkill_in_each_stage_is_made_good(self, region: Region, whole: Job, stage: str) -> None:
        """Killed without notice when progress reads the stage; the next entry ends with equal bytes."""
        job = region.job(whole.manifest.work)
        worker = job.start()
        job.wait_for_stage(stage)
        worker.kill()
        assert "result.json" not in job.names()
        job.clear_reports()
        assert job.run(batch_attempt=2).code == 0
        assert isinstance(job.last, Done)
        assert job.files() == whole.files()
        assert job.result.usage.interruptions == 1
        skipped = {"count"} if stage in ("render", "pack", "upload") else set()
        assert skipped.isdisjoint(report.stage for report in job.progress)

    def test_a_new_attempt_goes_on_from_the_old_ones_checkpoints(self, region: Region, whole: Job) -> None:
        """Another prefix, `resume_uri` names the first: its stages are not run again, its time is not counted."""
        old = region.job(whole.manifest.work)
        worker = old.start()
        old.wait_for_stage("render")
        worker.kill()
        kept = old.objects()
        new = region.job(
            whole.manifest.work,
            attempt=2,
            output_uri=old.manifest.output_uri.replace("/1/1/", "/1/2/"),
            resume_uri=old.manifest.output_uri,
        )
        assert new.run("batch-2").code == 0
        assert new.files() == whole.files()
        assert "count" not in [stage.stage for stage in new.result.usage.stages]
        assert new.result.usage.interruptions == 1
        assert old.objects() == kept
