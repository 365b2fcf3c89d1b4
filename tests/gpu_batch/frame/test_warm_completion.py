"""How a warm worker keeps pictures and ends attempts while it draws on: without a queue, a store or an engine."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snapforge.contracts.tickets import Ticket
from tests.gpu_batch.frame.test_modules import never
from tests.gpu_batch.frame.test_warm_batching import manifest
from worker.errors import Canceled, Interrupted, ProcessUnusable, WorkerError
from worker.kinds import Kind
from worker.signals import Stop
from worker.stages.base import Stage
from worker.warm.completion import CompletionPool
from worker.warm.in_flight_job import InFlightJob, InFlightJobs
from worker.warm.queues import Message, Queues

SOON_S = 0.15
"""Within this, what may happen at once has happened."""


class Attempted:
    """What the pool asks of a claimed attempt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "attempt" / "files"
        self.folder.mkdir(parents=True)
        self.checkpoints: list[str] = []

    def checkpoint(self, name: str, path: Path) -> None:
        assert path.name == name
        self.checkpoints.append(name)


class Reports:
    """The reporter of an attempt: what was reported last, and for how long it may be tried."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, float]] = []
        self.reaches = True
        self.breaks = False

    def done(self, uri: str, timeout_s: float) -> bool:
        return self._send("done", uri, timeout_s)

    def failed(self, error: WorkerError, partial: str | None, timeout_s: float) -> bool:
        return self._send(error.code, partial, timeout_s)

    def _send(self, what: str, told: Any, timeout_s: float) -> bool:
        if self.breaks:
            raise RuntimeError("the report itself broke")
        self.sent.append((what, told, timeout_s))
        return self.reaches


class Scenario:
    """A pool whose pictures are written by `write`, and the stages that ran at an attempt's end."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.deleted: list[str] = []
        self.ran: list[str] = []
        self.write: Callable[[int], None] = lambda index: None
        self.in_flight = InFlightJobs()
        self.stop = Stop(None, never)
        self._folder = folder
        stages = [Stage(name, 1.0, lambda context: None) for name in ("load", "draw", "after")]
        kind = cast(Any, SimpleNamespace(stages=stages))
        queues = cast(Queues, SimpleNamespace(delete=lambda message: self.deleted.append(message.id)))
        self.pool = CompletionPool(cast(Kind, kind), self.in_flight, queues, self.stop)
        names = SimpleNamespace(
            keep=lambda attempt, index, picture: self.write(index),
            name_results=lambda attempt: self.ran.append("names"),
        )
        for name, fake in {
            "draw": names,
            "pictures": lambda attempt: [Path(f"picture-{index:02d}.png") for index in range(200)],
            "run_stage": lambda attempt, stage: self.ran.append(stage.name),
            "write_result": lambda attempt, kind: "s3://result",
            "write_partial": lambda attempt, kind, error: "s3://partial",
        }.items():
            monkeypatch.setattr(f"worker.warm.completion.{name}", fake)

    def job(self, name: str = "j", count: int = 1) -> InFlightJob:
        """A claimed job of so many pictures, all being drawn."""
        uri = f"s3://bucket/{name}/manifest.json"
        ticket = Ticket(job_id=name, run=1, attempt=1, manifest_uri=uri, group="g", pictures=count)
        job = InFlightJob(Message(name, "{}", "r", "q", 1), ticket, manifest(count=count), Stop(None, never))
        job.attempt = cast(Any, Attempted(self._folder / name))
        job.reporter = cast(Any, Reports())
        self.in_flight.add(job)
        return job

    def settle(self) -> None:
        """Wait until nothing is under way."""
        until(lambda: not self.pool.pending)


def reports(job: InFlightJob) -> Reports:
    return cast(Reports, job.reporter)


def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    made = Scenario(tmp_path, monkeypatch)
    yield made
    made.pool.close()


@contextmanager
def held(scenario: Scenario) -> Iterator[list[int]]:
    """Pictures whose writing has begun; none ends before the block does."""
    begun: list[int] = []
    go_on = threading.Event()

    def write(index: int) -> None:
        begun.append(index)
        go_on.wait(5.0)

    scenario.write = write
    try:
        yield begun
    finally:
        go_on.set()


@pytest.mark.part("JOB-4")
class TestKeeping:
    def test_each_picture_is_a_checkpoint_and_the_last_ends_the_attempt(self, scenario: Scenario) -> None:
        """The last needs no checkpoint: the result holds it. Loading and drawing are over by then."""
        job = scenario.job(count=3)
        for index in range(3):
            scenario.pool.keep(job, index, "picture")
            scenario.settle()
            assert job.drawn_count == index + 1
        assert cast(Any, job.attempt).checkpoints == ["picture-00.png", "picture-01.png"]
        assert scenario.ran == ["names", "after"]
        assert [told[:2] for told in reports(job).sent] == [("done", "s3://result")]

    def test_four_jobs_are_written_side_by_side_and_no_more(self, scenario: Scenario) -> None:
        """So that a slow store does not hold the GPU up, and writing does not take all cores from it."""
        with held(scenario) as begun:
            for number in range(6):
                scenario.pool.keep(scenario.job(f"j{number}"), number, "picture")
            until(lambda: len(begun) == 4)
            time.sleep(SOON_S)
            assert (len(begun), scenario.pool.pending) == (4, 6)
        scenario.settle()
        assert len(begun) == 6

    def test_drawing_waits_where_more_than_sixty_four_pictures_lie_in_memory(self, scenario: Scenario) -> None:
        """The one that is handed over then is the sixty-sixth."""
        job = scenario.job(count=80)
        drawn = threading.Thread(
            target=lambda: [scenario.pool.keep(job, index, "picture") for index in range(66)], daemon=True
        )
        with held(scenario):
            drawn.start()
            until(lambda: job.drawn_count == 66)
            drawn.join(SOON_S)
            assert drawn.is_alive()
            assert scenario.pool.pending == 65
        drawn.join(5.0)
        assert not drawn.is_alive()

    def test_one_attempt_is_worked_on_by_one_thread(self, scenario: Scenario) -> None:
        job = scenario.job(count=3)
        with held(scenario) as begun:
            for index in range(3):
                scenario.pool.keep(job, index, "picture")
            until(lambda: begun)
            time.sleep(SOON_S)
            assert len(begun) == 1


@pytest.mark.part("JOB-4")
class TestEnding:
    def test_a_reported_end_takes_the_message_the_job_and_its_files(self, scenario: Scenario) -> None:
        job = scenario.job()
        scenario.pool.finish(job)
        scenario.settle()
        assert (scenario.deleted, scenario.in_flight.all(), job.ended) == (["j"], [], True)
        assert scenario.in_flight.recently_ended(job.prefix)
        assert not cast(Any, job.attempt).folder.parent.exists()

    def test_an_end_that_reached_nobody_leaves_the_message_to_come_again(self, scenario: Scenario) -> None:
        """And it is no duplicate then."""
        job = scenario.job()
        reports(job).reaches = False
        scenario.pool.finish(job)
        scenario.settle()
        assert (scenario.deleted, scenario.in_flight.all(), job.ended) == ([], [], True)
        assert not scenario.in_flight.recently_ended(job.prefix)

    def test_one_whose_files_are_gone_ends_all_the_same(
        self, scenario: Scenario, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = scenario.job()
        shutil.rmtree(cast(Any, job.attempt).folder.parent)
        scenario.pool.finish(job)
        scenario.settle()
        assert (scenario.deleted, caplog.messages) == (["j"], [])

    def test_an_attempt_ends_once(self, scenario: Scenario) -> None:
        """What comes after its end is dropped: a second failure, a picture that was still being drawn."""
        job = scenario.job(count=2)
        scenario.pool.fail(job, Canceled())
        scenario.settle()
        scenario.pool.fail(job, Interrupted())
        scenario.pool.keep(job, 0, "picture")
        scenario.pool.finish(job)
        scenario.settle()
        assert [what for what, *_ in reports(job).sent] == ["canceled"]
        assert cast(Any, job.attempt).checkpoints == []

    def test_a_failure_ends_it_with_what_there_is_and_no_picture_is_missing_any_more(self, scenario: Scenario) -> None:
        """At once, so that the loop draws nothing for it in the meantime."""
        job = scenario.job(count=2)
        with held(scenario):
            scenario.pool.keep(job, 0, "picture")
            scenario.pool.fail(job, Canceled())
            assert job.missing == []
        scenario.settle()
        assert [told[:2] for told in reports(job).sent] == [("canceled", "s3://partial")]

    def test_what_breaks_while_a_picture_is_kept_fails_its_own_attempt(self, scenario: Scenario) -> None:
        """As a bug of ours; nothing of it is drawn any more, and other attempts go on."""

        def write(index: int) -> None:
            if index == 1:
                raise ZeroDivisionError

        scenario.write = write
        broken, other = scenario.job("broken", count=3), scenario.job("other")
        for job, index in ((broken, 1), (broken, 0), (other, 0)):
            scenario.pool.keep(job, index, "picture")
        scenario.settle()
        assert [what for what, *_ in reports(broken).sent] == ["unexpected_error"]
        assert [what for what, *_ in reports(other).sent] == ["done"]
        assert (broken.missing, scenario.stop.event.is_set()) == ([], False)

    def test_an_end_that_itself_breaks_is_in_the_log(
        self, scenario: Scenario, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody else would tell of it: the message comes again when it is visible."""
        job = scenario.job()
        reports(job).breaks = True
        scenario.pool.fail(job, Canceled())
        scenario.settle()
        assert "an attempt could not be ended" in caplog.messages
        assert scenario.deleted == []

    def test_a_process_that_cannot_work_any_more_takes_nothing_up(self, scenario: Scenario) -> None:
        """It stops before the report is sent, which may take a while."""
        job = scenario.job()
        broken = ProcessUnusable("disk_full", "The disk is full.")
        scenario.pool.fail(job, broken)
        scenario.settle()
        assert scenario.stop.event.is_set()
        with pytest.raises(ProcessUnusable):
            scenario.stop.check()

    def test_an_end_is_reported_for_two_minutes_and_for_twenty_seconds_of_a_machine_that_goes(
        self, scenario: Scenario
    ) -> None:
        """A message stays ours for two minutes; ECS kills 110 s after SIGTERM."""
        done, failed, interrupted = (scenario.job(name) for name in ("done", "failed", "interrupted"))
        scenario.pool.finish(done)
        scenario.pool.fail(failed, Canceled())
        scenario.pool.fail(interrupted, Interrupted())
        scenario.settle()
        assert [reports(job).sent[0][2] for job in (done, failed, interrupted)] == [120.0, 120.0, 20.0]


@pytest.mark.part("JOB-4")
class TestClosing:
    def test_it_waits_for_what_is_under_way(self, scenario: Scenario) -> None:
        job = scenario.job()
        scenario.write = lambda index: time.sleep(SOON_S)
        scenario.pool.keep(job, 0, "picture")
        scenario.pool.close()
        assert [what for what, *_ in reports(job).sent] == ["done"]

    def test_for_no_more_than_45_seconds(self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a report's twenty and a minute for the drawing that is under way it is over when ECS kills."""
        waited: list[float] = []
        monkeypatch.setattr("worker.warm.completion.wait", lambda pending, timeout: waited.append(timeout))
        scenario.pool.close()
        assert waited == [45.0]
        assert waited[0] + 60.0 < 110

    def test_what_has_not_begun_by_then_is_left_to_the_next_worker(
        self, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its message comes again; the process does not wait for it."""
        with held(scenario) as begun:
            for number in range(6):
                scenario.pool.keep(scenario.job(f"j{number}"), number, "picture")
            until(lambda: len(begun) == 4)
            monkeypatch.setattr("worker.warm.completion._MAX_CLOSE_S", 0.01)
            began = time.monotonic()
            scenario.pool.close()
            assert time.monotonic() - began < 3.0
        until(lambda: not scenario.pool.pending)
        assert len(begun) == 4
