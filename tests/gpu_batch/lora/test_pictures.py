"""Image jobs with LoRAs, from manifest to pictures: the processes that the job definitions start, on tiny models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.reports import Done, Failed
from tests.gpu_batch.frame.region import Job, Region
from tests.gpu_batch.frame.warm import Fleet, fleet_of, work
from tests.gpu_batch.image.test_job import picture
from tests.gpu_batch.image.tiny_klein import build_klein
from tests.gpu_batch.image.tiny_z_image import build_z_image
from tests.gpu_batch.lora import made

pytestmark = pytest.mark.part("JOB-9")
NAME = "picture-00.png"


@pytest.fixture
def fleet(region: Region) -> Iterator[Fleet]:
    """Queues of this test alone."""
    queues = fleet_of(region)
    yield queues
    queues.close()


@pytest.fixture(scope="module")
def models(weights: Path) -> Path:
    """Models of three kinds: FLUX.1, FLUX.2 klein, and one that knows no adapters."""
    build_klein(weights / "klein")
    build_z_image(weights / "z-image")
    return weights


@pytest.fixture(scope="module")
def vase(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the tiny FLUX.1."""
    return made.make(weights / "flux-schnell", tmp_path_factory.mktemp("made") / "vase.safetensors", seed=1)


@pytest.fixture(scope="module")
def dog(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one, of another rank."""
    return made.make(weights / "flux-schnell", tmp_path_factory.mktemp("made") / "dog.safetensors", seed=2, rank=4)


def at(adapter: AdapterRef, weight: float) -> AdapterRef:
    """The same, as strong as this."""
    return adapter.model_copy(update={"weight": weight})


def refused(job: Job) -> tuple[str, str, str]:
    """(category, code, message) of a failed job."""
    assert isinstance(job.last, Failed), job.last
    return job.last.category, job.last.code, job.last.message


def pixels(job: Job) -> bytes:
    """Of the only picture."""
    assert isinstance(job.last, Done), job.last
    return picture(job, NAME).tobytes()


def draw_all(
    fleet: Fleet, models: Path, sets: dict[str, tuple[AdapterRef, ...]], timeout_s: float = 0.0, **environment: str
) -> dict[str, bytes]:
    """The pixels that one worker draws with each set, one after the other: equal bytes may be asked for."""
    jobs = {name: fleet.submit(model="flux-schnell", adapters=adapters) for name, adapters in sets.items()}
    worker = fleet.start(module="worker.warm", WEIGHTS_URI=str(models), MICRO_BATCH="1", **environment)
    assert worker.wait(timeout_s) == 0, worker.output
    drawn = {name: pixels(job) for name, job in jobs.items()}
    assert jobs["base at last"].last.at > jobs["vase"].last.at
    fetched = [line["lora"] for line in worker.log if line["message"] == "adapter"]
    assert len(fetched) == len(set(fetched)) == len({ref.id for refs in sets.values() for ref in refs if ref.weight})
    return drawn


class TestPictures:
    def test_each_set_has_its_own_picture_and_without_it_is_the_bases(
        self, fleet: Fleet, region: Region, models: Path, vase: Path, dog: Path
    ) -> None:
        """Weight 0 and orders between: not a bit of difference from the base."""
        one, two = made.store(region, vase), made.store(region, dog)
        sets: dict[str, tuple[AdapterRef, ...]] = {
            "base": (),
            "vase": (at(one, 1.0),),
            "half": (at(one, 0.5),),
            "both": (at(one, 1.0), at(two, -1.0)),
            "base again": (),
            "vase again": (at(one, 1.0), at(two, 0.0)),
            "both turned": (at(two, -1.0), at(one, 1.0)),
            "base at last": (at(one, 0.0), at(two, 0.0)),
        }
        drawn = draw_all(fleet, models, sets)
        assert drawn["base"] == drawn["base again"] == drawn["base at last"]
        assert drawn["vase"] == drawn["vase again"]
        assert drawn["both"] == drawn["both turned"]
        assert len(set(drawn.values())) == 4

    @pytest.mark.full
    @pytest.mark.part("JOB-7")
    def test_the_same_with_compiled_blocks(
        self, fleet: Fleet, region: Region, models: Path, vase: Path, dog: Path
    ) -> None:
        """As on a GPU, where adapters are exchanged in their slots; needs a C++ compiler."""
        one, two = made.store(region, vase), made.store(region, dog)
        sets: dict[str, tuple[AdapterRef, ...]] = {
            "base": (),
            "vase": (at(one, 1.0),),
            "dog": (at(two, 1.0),),
            "half": (at(one, 0.5),),
            "vase again": (at(one, 1.0),),
            "base at last": (at(one, 0.0),),
        }
        drawn = draw_all(fleet, models, sets, 240.0, IMAGE_COMPILE="1")
        assert drawn["base"] == drawn["base at last"]
        assert drawn["vase"] == drawn["vase again"]
        assert len(set(drawn.values())) == 4

    @pytest.mark.full
    def test_one_job_a_process_draws_the_same(self, region: Region, models: Path, vase: Path) -> None:
        """`python -m worker`: with the adapter, without it, and when it is gone."""
        adapter = made.store(region, vase)
        jobs = [region.job(work(model="flux-schnell", adapters=adapters)) for adapters in ((), (adapter,))]
        for job in jobs:
            assert job.run(module="worker", WEIGHTS_URI=str(models)).code == 0, job.receive_reports()
        base, with_it = map(pixels, jobs)
        assert base != with_it
        gone = region.job(work(model="flux-schnell", adapters=(adapter.model_copy(update={"uri": "s3://none/gone"}),)))
        assert gone.run(module="worker", WEIGHTS_URI=str(models)).code == 65
        assert refused(gone) == ("input", "lora_gone", "The LoRA lora_vase (version 1) does not exist any more.")


class TestRefused:
    def test_what_does_not_fit_fails_alone(
        self, fleet: Fleet, region: Region, models: Path, vase: Path, tmp_path: Path
    ) -> None:
        """Of another family, of another depth, for a model without adapters, no adapter at all; then all goes on."""
        fits = made.store(region, vase)
        klein = made.store(region, made.make(models / "klein", tmp_path / "klein.safetensors", seed=3), "flux2")
        deeper = made.store(region, made.deepened(vase, tmp_path / "deeper.safetensors"))
        (tmp_path / "text.safetensors").write_text("no adapter")
        no_adapter = made.store(region, tmp_path / "text.safetensors")
        before = fleet.submit(model="flux-schnell")
        wrong = {
            name: fleet.submit(model=model, adapters=(adapter,), count=2)
            for name, model, adapter in (
                ("family", "flux-schnell", klein),
                ("depth", "flux-schnell", deeper),
                ("text", "flux-schnell", no_adapter),
                ("model", "z-image", fits),
            )
        }
        twice = fleet.submit(model="flux-schnell", adapters=(fits, at(fits, 0.5)))
        after = fleet.submit(model="flux-schnell", adapters=(fits,))
        at_last = fleet.submit(model="z-image", adapters=(at(fits, 0.0),))
        worker = fleet.run(module="worker.warm", WEIGHTS_URI=str(models))
        assert worker.code == 0, worker.output
        reported = {name: refused(job) for name, job in wrong.items()}
        assert {name: ending[:2] for name, ending in reported.items()} == {
            "family": ("input", "lora_does_not_fit"),
            "depth": ("input", "lora_does_not_fit"),
            "text": ("input", "lora_unreadable"),
            "model": ("input", "lora_not_supported"),
        }
        assert "was trained for a flux2 model of width 32" in reported["family"][2]
        assert "transformer_blocks.7.attn" in reported["depth"][2]
        assert refused(twice)[:2] == ("input", "lora_twice")
        assert pixels(before) != pixels(after)
        assert isinstance(at_last.last, Done)
