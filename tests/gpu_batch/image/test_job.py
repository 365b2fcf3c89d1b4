"""Image jobs as Batch runs them: `python -m worker` in real processes, from manifest to result."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snapforge.contracts.manifest import ImageWork
from snapforge.contracts.reports import Done, Failed
from tests.gpu_batch.frame.region import BUCKET, Job, Region

WORKER = "worker"


def work(**fields: Any) -> ImageWork:
    """An order for three pictures."""
    defaults: dict[str, Any] = {
        "model": "flux-schnell",
        "prompt": "a secret prompt about a red chair",
        "negative_prompt": "",
        "width": 256,
        "height": 192,
        "steps": 8,
        "guidance": 0.0,
        "seed": 41,
        "count": 3,
    }
    return ImageWork.model_validate(defaults | fields)


@pytest.fixture(scope="module")
def stored(region: Region, weights: Path) -> str:
    """The untrained model as an operator would store it: an s3:// prefix."""
    for path in (weights / "flux-schnell").rglob("*"):
        if path.is_file():
            region.put(f"weights/{path.relative_to(weights)}", path.read_bytes())
    return f"s3://{BUCKET}/weights"


@pytest.fixture(scope="module")
def whole(region: Region, weights: Path) -> Job:
    """An undisturbed job, finished, with weights from a folder."""
    job = region.job(work())
    assert job.run(module=WORKER, WEIGHTS_URI=str(weights)).code == 0, job.receive_reports()
    return job


def picture(job: Job, name: str) -> Image.Image:
    """A result picture, decoded."""
    return Image.open(io.BytesIO(job.files()[name]))


@pytest.mark.part("JOB-1")
class TestResult:
    def test_pictures_have_the_asked_size_and_their_seeds(self, whole: Job) -> None:
        """Picture i is made with seed + i; all differ."""
        files = [file for file in whole.result.files if file.role == "picture"]
        assert [(file.name, file.seed, file.width, file.height, file.media_type) for file in files] == [
            (f"picture-0{index}.png", 41 + index, 256, 192, "image/png") for index in range(3)
        ]
        assert {picture(whole, file.name).size for file in files} == {(256, 192)}
        assert len({file.sha256 for file in files}) == 3

    def test_pictures_carry_no_metadata(self, whole: Job) -> None:
        """PNG chunks are header, pixels and end: the prompt stays with its owner."""
        for name, body in whole.files().items():
            assert b"secret prompt" not in body
            if name.endswith(".png"):
                assert chunks(body) == {b"IHDR", b"IDAT", b"IEND"}

    def test_the_preview_is_a_small_contact_sheet(self, whole: Job) -> None:
        """One JPEG of at most 512 px that shows all pictures."""
        (file,) = [file for file in whole.result.files if file.role == "preview"]
        sheet = picture(whole, file.name)
        assert (sheet.format, sheet.size) == ("JPEG", (file.width, file.height))
        assert max(sheet.size) <= 512
        assert np.asarray(sheet).std() > 5

    def test_the_result_says_that_it_is_noise_and_who_drew_it(self, whole: Job) -> None:
        """Engine, model, the untrained model's note, and a time for each stage."""
        result = whole.result
        assert (result.engine, result.model) == ("diffusers:flux", "flux-schnell")
        assert len(result.notes) == 1
        assert "noise" in result.notes[0]
        assert [stage.stage for stage in result.usage.stages] == ["fetch", "load", "draw", "preview"]
        assert result.usage.device == "cpu"
        assert isinstance(whole.last, Done)

    @pytest.mark.part("JOB-5")
    def test_progress_goes_up_through_the_stages(self, whole: Job) -> None:
        """load, draw, preview, and never back."""
        assert list(dict.fromkeys(report.stage for report in whole.progress)) == [
            "fetch", "load", "draw", "preview", "upload",
        ]  # fmt: skip
        percents = [report.percent for report in whole.progress]
        assert percents == sorted(percents)


@pytest.mark.part("JOB-4")
class TestInterrupted:
    def test_sigterm_between_steps_then_the_next_entry_has_equal_bytes(
        self, region: Region, whole: Job, stored: str, tmp_path: Path
    ) -> None:
        """With weights from S3: what was finished is not drawn again, and nothing differs from the folder's."""
        job = region.job(whole.manifest.work)
        how: dict[str, Any] = {"module": WORKER, "WEIGHTS_URI": stored, "WEIGHTS_CACHE": str(tmp_path / "cache")}
        worker = job.start(**how)
        job.wait_for_stage("draw")
        time.sleep(0.1)
        assert worker.terminate() == 75
        assert isinstance(job.last, Failed)
        assert job.last.code == "interrupted"
        job.clear_reports()
        assert job.run(batch_attempt=2, **how).code == 0
        assert job.files() == whole.files()
        assert job.result.usage.interruptions == 1

    @pytest.mark.parametrize("stage", ["load", "draw"])
    def test_sigkill_is_made_good(self, region: Region, whole: Job, weights: Path, stage: str) -> None:
        """Killed without notice; the next entry ends with equal bytes."""
        job = region.job(whole.manifest.work)
        worker = job.start(module=WORKER, WEIGHTS_URI=str(weights))
        job.wait_for_stage(stage)
        worker.kill()
        job.clear_reports()
        assert job.run(batch_attempt=2, module=WORKER, WEIGHTS_URI=str(weights)).code == 0
        assert job.files() == whole.files()

    def test_all_pictures_kept_need_no_model(self, region: Region, whole: Job) -> None:
        """A new attempt that resumes from a complete one restores the pictures without loading anything."""
        job = region.job(
            whole.manifest.work,
            attempt=2,
            output_uri=whole.manifest.output_uri.replace("/1/1/", "/1/2/"),
            resume_uri=whole.manifest.output_uri,
        )
        assert job.run("batch-2", module=WORKER, WEIGHTS_URI="/nowhere").code == 0
        assert job.files() == whole.files()
        assert "noise" in job.result.notes[0]


@pytest.mark.part("JOB-7")
class TestMissingModel:
    def test_a_model_that_is_not_installed_is_ours_to_mend(self, region: Region, weights: Path) -> None:
        """Failed as a bug, with what to put where; nothing of it is the customer's fault."""
        job = region.job(work(model="flux-2-klein"))
        assert job.run(module=WORKER, WEIGHTS_URI=str(weights)).code == 70
        assert isinstance(job.last, Failed)
        assert (job.last.category, job.last.code) == ("bug", "model_missing")
        assert f"{weights}/flux-2-klein" in job.last.message
        assert "model_index.json" in job.last.message


def chunks(png: bytes) -> set[bytes]:
    """The chunk types of a PNG file."""
    found, position = set(), 8
    while position < len(png):
        found.add(png[position + 4 : position + 8])
        position += 12 + int.from_bytes(png[position : position + 4], "big")
    return found
