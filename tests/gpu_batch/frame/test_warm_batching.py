"""Which pictures of a warm worker may be drawn together, how many at once, and what each job pays for them."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.manifest import Manifest
from snapforge.contracts.tickets import Ticket
from tests.gpu_batch.frame.test_modules import never
from tests.gpu_batch.frame.warm import work
from worker.engines.base import Drawing
from worker.errors import Interrupted, WorkerError
from worker.signals import Stop
from worker.usage import Meter
from worker.warm.in_flight_job import BatchKey, InFlightJob
from worker.warm.queues import Message
from worker.warm.renderer import BatchItem, BatchRenderer, GpuBrokenError
from worker.workspace import SavedState


def lora(name: str, weight: float = 1.0) -> AdapterRef:
    """An adapter with a content of its own."""
    return AdapterRef(
        id=name, version=1, uri=f"s3://bucket/{name}", sha256=name * 64, family="flux1", rank=4, weight=weight
    )


def manifest(*, reduced: bool = False, **fields: Any) -> Manifest:
    """An attempt at drawing `job`."""
    return Manifest(
        job_id="j", run=1, attempt=1, deadline=datetime.now(UTC) + timedelta(hours=1), reports_queue_url="q",
        output_uri="s3://bucket/runs/j/1/1/", reduced=reduced, work=work(**fields),
    )  # fmt: skip


def key(*, reduced: bool = False, **fields: Any) -> BatchKey:
    """What decides with whom the job is drawn."""
    return BatchKey.of(manifest(reduced=reduced, **fields))


@pytest.mark.part("JOB-4")
class TestKey:
    @pytest.mark.parametrize(
        "other",
        [
            {"model": "n"},
            {"reduced": True},
            {"width": 80},
            {"height": 64},
            {"steps": 3},
            {"guidance": 0.5},
            {"adapters": (lora("a"),)},
        ],
    )
    def test_pictures_that_differ_in_this_are_never_drawn_together(self, other: dict[str, Any]) -> None:
        """One model, one shape of latents, one schedule, one guidance, one set of LoRAs for the whole micro-batch."""
        assert key(**other) != key()

    def test_the_loras_content_and_weight_count_and_not_their_order(self) -> None:
        assert key(adapters=(lora("a"),)) != key(adapters=(lora("b"),))
        assert key(adapters=(lora("a"),)) != key(adapters=(lora("a", 0.5),))
        assert key(adapters=(lora("a"), lora("b"))) == key(adapters=(lora("b"), lora("a")))
        assert key(adapters=(lora("a", 0.0),)) == key()

    def test_width_and_height_are_not_exchanged(self) -> None:
        """The same number of pixels, another picture."""
        assert key(width=64, height=48) != key(width=48, height=64)

    @pytest.mark.parametrize("other", [{"prompt": "q"}, {"negative_prompt": "n"}, {"seed": 8}, {"count": 3}])
    def test_pictures_that_differ_in_nothing_else_are_drawn_together(self, other: dict[str, Any]) -> None:
        assert key(**other) == key()

    def test_all_that_engines_read_of_the_first_picture_is_in_it(self) -> None:
        """Engines take sizes, steps, guidance and LoRAs of the first for all: a new field belongs into the key too."""
        each_its_own = {"prompt", "negative_prompt"}
        assert {field.name for field in fields(Drawing)} - each_its_own <= {field.name for field in fields(BatchKey)}

    def test_memory_is_remembered_by_all_but_the_loras(self) -> None:
        assert key(adapters=(lora("a"),)).plain == key() == key().plain
        for other in ({"model": "n"}, {"reduced": True}, {"width": 80}, {"height": 64}):
            assert key(**other).plain != key().plain


class Engine:
    """Draws a name for each picture; `fails` may raise for the seeds of a micro-batch."""

    name = "fake"
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        fails: Callable[[Sequence[int]], None] = lambda seeds: None,
        after_step: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.drawn: list[list[int]] = []
        self._fails, self._after_step = fails, after_step

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        del drawing
        return ()

    def draw(self, drawings: Sequence[Drawing], seeds: Sequence[int], on_step: Callable[..., Any]) -> list[Any]:
        self.drawn.append(list(seeds))
        self._fails(seeds)
        gone: set[int] = set()
        for step in range(drawings[0].steps):
            gone |= set(on_step(step + 1, drawings[0].steps))
            self._after_step(step + 1)
        return [None if at in gone else f"picture {seed}" for at, seed in enumerate(seeds)]


class Attempted:
    """What a micro-batch asks of a claimed attempt."""

    def __init__(self, of: Manifest) -> None:
        self.manifest, self.work = of, of.work
        self.meter = Meter(SavedState(), shared=True)
        self.shown: list[tuple[float, str]] = []

    def progress(self, fraction: float, message: str = "") -> None:
        self.shown.append((fraction, message))


class Scenario:
    """Claimed jobs, and what became of their pictures."""

    def __init__(self, micro_batch: int = 4) -> None:
        self.kept: list[Any] = []
        self.failed: list[tuple[int, str]] = []
        self.stop = Stop(None, never)
        self.renderer = BatchRenderer(self.stop, micro_batch, self._keep, self._fail)

    def _keep(self, job: InFlightJob, index: int, picture: Any) -> None:
        del index
        job.drawn_count += 1
        self.kept.append(picture)

    def _fail(self, job: InFlightJob, error: WorkerError) -> None:
        job.failing = True
        self.failed.append((int(job.ticket.job_id), error.code))

    def job(self, seed: int, **fields: Any) -> InFlightJob:
        """One that is claimed; its job is named after its seed."""
        made = manifest(seed=seed, **fields)
        ticket = Ticket(job_id=str(seed), run=1, attempt=1, manifest_uri="s3://b/p/m.json", group="g", pictures=1)
        job = InFlightJob(Message("m", "{}", "r", "q", 1), ticket, made, Stop(None, never))
        job.attempt, job.reporter = cast(Any, Attempted(made)), cast(Any, object())
        return job

    def draw(self, engine: Engine, *jobs: InFlightJob) -> None:
        """All pictures of the jobs in one micro-batch."""
        items = [BatchItem(job, index) for job in jobs for index in job.missing]
        self.renderer.run(engine, items)


def spent(job: InFlightJob) -> int:
    """Milliseconds that the job pays for."""
    attempt, _ = job.claimed_attempt()
    return round(attempt.meter.compute_seconds * 1000)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each micro-batch takes, in their order; to be filled."""
    durations: list[float] = []
    readings = (reading for number in count() for reading in (0.0, durations[number]))
    monkeypatch.setattr("worker.warm.renderer.time", SimpleNamespace(monotonic=lambda: next(readings)))
    return durations


def out_of_memory_above(capacity: int) -> Callable[[Sequence[int]], None]:
    """An engine's failure where more than `capacity` pictures are drawn at once."""

    def fails(seeds: Sequence[int]) -> None:
        if len(seeds) > capacity:
            raise MemoryError

    return fails


@pytest.mark.part("JOB-4")
class TestMicroBatch:
    def test_out_of_memory_halves_it_until_it_fits_and_for_good(self) -> None:
        """Eight, four, two; from then on two at once (four are not tried again), with any LoRAs, at no other size."""
        scenario, engine = Scenario(micro_batch=8), Engine(out_of_memory_above(2))
        job = scenario.job(10, count=8)
        scenario.draw(engine, job)
        assert [len(seeds) for seeds in engine.drawn] == [8, 4, 2, 2, 2, 2]
        assert engine.drawn[0] == list(range(10, 18))
        assert (len(scenario.kept), scenario.failed) == (8, [])
        assert scenario.renderer.capacity(job.key) == 2
        assert scenario.renderer.capacity(key(adapters=(lora("a"),))) == 2
        assert scenario.renderer.capacity(key(height=64)) == 8

    def test_one_that_does_not_fit_alone_fails_as_out_of_memory(self) -> None:
        """And it is not taken for the capacity of others."""
        scenario, engine = Scenario(), Engine(out_of_memory_above(0))
        scenario.draw(engine, scenario.job(1))
        assert scenario.failed == [(1, "out_of_memory")]
        assert scenario.renderer.capacity(key()) == 4

    def test_who_raises_is_found_by_drawing_each_alone_and_the_room_stays(self) -> None:
        def fails(seeds: Sequence[int]) -> None:
            if 3 in seeds:
                raise ZeroDivisionError

        scenario, engine = Scenario(), Engine(fails)
        scenario.draw(engine, *(scenario.job(seed) for seed in (1, 2, 3, 4)))
        assert engine.drawn == [[1, 2, 3, 4], [1], [2], [3], [4]]
        assert scenario.failed == [(3, "unexpected_error")]
        assert sorted(scenario.kept) == ["picture 1", "picture 2", "picture 4"]
        assert scenario.renderer.capacity(key()) == 4

    def test_the_log_tells_what_the_engine_raised(self, caplog: pytest.LogCaptureFixture) -> None:
        """Not only what it means to the customer."""

        def fails(seeds: Sequence[int]) -> None:
            raise ZeroDivisionError("in the engine")

        scenario = Scenario()
        scenario.draw(Engine(fails), scenario.job(1))
        (record,) = [record for record in caplog.records if record.message.startswith("a picture failed")]
        assert record.exc_info
        assert isinstance(record.exc_info[1], ZeroDivisionError)

    def test_one_who_has_to_stop_does_not_look_for_who_raised(self) -> None:
        """The engine may well raise because the machine is taken away."""
        scenario = Scenario()

        def fails(seeds: Sequence[int]) -> None:
            scenario.stop.request(Interrupted())
            raise ZeroDivisionError

        engine = Engine(fails)
        with pytest.raises(Interrupted):
            scenario.draw(engine, scenario.job(1), scenario.job(2))
        assert (len(engine.drawn), scenario.failed) == (1, [])

    def test_between_two_steps_it_stops_as_well(self) -> None:
        scenario = Scenario()
        engine = Engine(after_step=lambda done: scenario.stop.request(Interrupted()))
        with pytest.raises(Interrupted):
            scenario.draw(engine, scenario.job(1, steps=4))
        assert (len(engine.drawn), scenario.kept) == (1, [])

    def test_an_engine_that_gives_fewer_pictures_than_it_was_asked_for_is_no_silent_loss(self) -> None:
        """Their jobs would wait for them until their deadlines."""
        scenario, engine = Scenario(), Engine()
        engine.draw = cast(Any, lambda drawings, seeds, on_step: ["picture"] * (len(seeds) - 1))
        with pytest.raises(ValueError, match="shorter"):
            scenario.draw(engine, scenario.job(1), scenario.job(2))

    def test_what_nobody_wants_is_not_drawn(self) -> None:
        """Ended, failing or canceled already; the rest of the micro-batch is."""
        scenario, engine = Scenario(), Engine()
        ended, failing, canceled, wanted = (scenario.job(seed) for seed in (1, 2, 3, 4))
        ended.ended = failing.failing = True
        canceled.canceled.set()
        scenario.draw(engine, ended, failing, canceled)
        assert (engine.drawn, scenario.failed) == ([], [(3, "canceled")])
        scenario.draw(engine, ended, wanted)
        assert (engine.drawn, scenario.kept) == ([[4]], ["picture 4"])

    @pytest.mark.parametrize("text", ["CUDA error: an illegal access", "CUBLAS_STATUS_FAILED", "CUDNN_STATUS_FAILED"])
    def test_a_device_error_blames_nobody(self, text: str) -> None:
        """Nothing is drawn again on a device that computes nothing any more."""

        def fails(seeds: Sequence[int]) -> None:
            raise RuntimeError(text)

        scenario, engine = Scenario(), Engine(fails)
        with pytest.raises(GpuBrokenError) as caught:
            scenario.draw(engine, scenario.job(1), scenario.job(2))
        assert caught.value.code == "gpu_broken"
        assert (len(engine.drawn), scenario.failed) == (1, [])

    @pytest.mark.part("JOB-12")
    def test_each_pays_for_the_steps_that_it_was_drawn_for(self, seconds: list[float]) -> None:
        """Canceled after one step of four: one part of nine of what the three pictures took."""
        scenario = Scenario()
        stays, leaves = scenario.job(1, steps=4, count=2), scenario.job(5, steps=4)
        seconds.append(0.9)
        engine = Engine(after_step=lambda done: leaves.canceled.set() if done == 1 else None)
        scenario.draw(engine, stays, leaves)
        assert scenario.failed == [(5, "canceled")]
        assert (spent(stays), spent(leaves)) == (800, 100)

    @pytest.mark.part("JOB-12")
    def test_a_micro_batch_that_fails_is_paid_for_too(self, seconds: list[float]) -> None:
        """Before the first step equal parts; then each for its own drawing alone."""
        scenario, engine = Scenario(), Engine(out_of_memory_above(1))
        one, other = scenario.job(1), scenario.job(2)
        seconds += [0.5, 0.3, 0.1]
        scenario.draw(engine, one, other)
        assert (spent(one), spent(other)) == (250 + 300, 250 + 100)

    @pytest.mark.part("JOB-5")
    def test_progress_counts_pictures_of_earlier_micro_batches_and_entries(self) -> None:
        """The third of four: one was restored, one drawn before."""
        scenario = Scenario()
        job = scenario.job(1, count=4, steps=2)
        job.set_missing([1, 2, 3])
        job.drawn_count, job.missing = 1, [2]
        scenario.draw(Engine(), job)
        attempt, _ = job.claimed_attempt()
        assert cast(Any, attempt).shown == [(2.5 / 4, "Picture 3 of 4"), (3 / 4, "Picture 3 of 4")]
