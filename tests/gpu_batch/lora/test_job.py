"""Trainings as Batch runs them: `python -m worker` in real processes, from manifest to result."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from snapforge.contracts.manifest import LoraWork, Photo
from snapforge.contracts.reports import Done, Failed
from tests.gpu_batch.frame.region import Region
from tests.gpu_batch.lora import things

pytestmark = pytest.mark.part("JOB-9")


def work(region: Region, count: int = 6, broken: tuple[int, ...] = (), **fields: Any) -> LoraWork:
    """An order with `count` stored photos."""
    photos = []
    for index in range(count):
        body = b"\xff\xd8\xff not a photo" if index in broken else things.jpeg(index)
        uri = region.put(f"photos/{index}{'x' if index in broken else ''}.jpg", body)
        photos.append(Photo(uri=uri, name=f"IMG_{index}.jpg", width=128, height=128))
    defaults: dict[str, Any] = {
        "model": "flux-schnell",
        "photos": tuple(photos),
        "captions": ("on a table", *[""] * (count - 1)),
        "trigger": "zwq",
        "subject": "ball",
        "rank": 4,
        "steps": 40,
        "learning_rate": 3e-3,
        "size": 64,
        "sample_prompts": ("a photo of zwq ball", "zwq ball on grass"),
        "sample_steps": 2,
        "guidance": 0.0,
    }
    return LoraWork.model_validate(defaults | fields)


class TestResult:
    def test_an_adapter_a_grid_and_what_was_learnt(self, region: Region, weights: Path) -> None:
        """One broken photo is left out and named; the others are captioned and trained on."""
        job = region.job(work(region, 7, broken=(3,)))
        assert job.run(module="worker", WEIGHTS_URI=str(weights)).code == 0, job.receive_reports()
        assert isinstance(job.receive_reports()[-1], Done)
        result, files = job.result, job.files()
        assert [(file.name, file.role) for file in result.files] == [
            ("adapter.safetensors", "adapter"),
            ("preview.jpg", "preview"),
        ]
        assert result.lora is not None
        assert (result.lora.photos_given, result.lora.photos_used, result.lora.rank) == (7, 6, 4)
        assert result.lora.captions[:2] == ("zwq ball, on a table", "a photo of zwq ball")
        assert result.lora.loss_after < result.lora.loss_before
        assert any("IMG_3.jpg" in note for note in result.notes)
        header = json.loads(files["adapter.safetensors"][8:].split(b"}}")[0].decode() + "}}")["__metadata__"]
        assert json.loads(header["snapforge"]) == {"family": "flux1", "width": 32, "rank": 4, "trigger": "zwq"}
        grid = Image.open(io.BytesIO(files["preview.jpg"]))
        assert grid.size == (2 * 64 + 4, 2 * 64 + 4)

    def test_too_few_usable_photos_fail_at_once(self, region: Region, weights: Path) -> None:
        job = region.job(work(region, 5, broken=(1,)))
        assert job.run(module="worker", WEIGHTS_URI=str(weights)).code == 65
        failed = job.receive_reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.code, failed.category) == ("too_few_photos", "input")
        assert "IMG_1.jpg" in failed.message

    def test_a_training_that_learns_nothing_is_not_sold(self, region: Region, weights: Path) -> None:
        """The adapter is given all the same."""
        job = region.job(work(region, learning_rate=1e-9, steps=2))
        assert job.run(module="worker", WEIGHTS_URI=str(weights)).code == 65
        failed = job.receive_reports()[-1]
        assert isinstance(failed, Failed)
        assert (failed.code, failed.category) == ("nothing_learnt", "insufficient_quality")
        assert failed.result_uri
