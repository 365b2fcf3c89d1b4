"""Warm jobs with the real engine on the tiny model: the process that the job definition starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from snapforge.contracts.reports import Done, Failed
from tests.gpu_batch.frame.region import Region
from tests.gpu_batch.frame.warm import Fleet, fleet_of
from tests.gpu_batch.image.test_batches import apart
from tests.gpu_batch.image.test_job import chunks, picture


@pytest.fixture
def fleet(region: Region) -> Iterator[Fleet]:
    """Queues of this test alone."""
    made = fleet_of(region)
    yield made
    made.close()


@pytest.mark.part("JOB-7")
@pytest.mark.part("JOB-8")
class TestWarmJobs:
    def test_mixed_jobs_are_drawn_with_one_loading_and_seeds_reproduce(self, fleet: Fleet, weights: Path) -> None:
        """Two sizes, two prompts and a job twice; a missing model fails alone; files tell nothing but pixels."""
        same = [fleet.submit(model="flux-schnell", prompt="a red chair", seed=5, count=count) for count in (1, 3)]
        wide = fleet.submit(model="flux-schnell", prompt="a blue chair", seed=5, width=128)
        gone = fleet.submit(model="flux-2-klein")
        worker = fleet.run(module="worker.warm", WEIGHTS_URI=str(weights))
        assert worker.code == 0
        assert [line["model"] for line in worker.log if line["message"] == "model"] == ["flux-schnell"]
        assert isinstance(gone.last, Failed)
        assert gone.last.code == "model_missing"
        for job in (*same, wide):
            assert isinstance(job.last, Done)
            assert job.result.engine == "diffusers:flux"
            assert "noise" in job.result.notes[0]
            assert chunks(job.read("picture-00.png")) == {b"IHDR", b"IDAT", b"IEND"}
        assert picture(wide, "picture-00.png").size == (128, 48)
        assert apart(picture(same[0], "picture-00.png"), picture(same[1], "picture-00.png")) <= 1
        assert apart(picture(same[1], "picture-00.png"), picture(same[1], "picture-01.png")) > 1
