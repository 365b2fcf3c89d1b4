"""When a warm worker asks for more, and when it leaves: its loop on a clock of ours, without a queue or an engine."""

import errno
import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snapforge.contracts.tickets import Ticket
from tests.gpu_batch.frame.test_modules import never
from tests.gpu_batch.frame.test_warm_batching import manifest
from worker.errors import Interrupted, WorkerError
from worker.signals import Stop
from worker.usage import Meter
from worker.warm.in_flight_job import InFlightJob
from worker.warm.queues import Message
from worker.warm.settings import Settings
from worker.warm.worker import WarmWorker, main
from worker.workspace import SavedState

BEGIN = 1000.0
"""When a worker begins, on the machine's clock."""


class Loop:
    """A worker whose queues pass the time: a long poll takes as long as it may, anything else a second."""

    def __init__(self, folder: Path, idle_s: float, micro_batch: int = 4) -> None:
        self.now = BEGIN
        self.put: list[str] = []
        self.asked: list[int] = []
        self.polls: list[int] = []
        self.after_polls: dict[int, Callable[[], None]] = {}
        self.takes: list[tuple[int, dict[str, Any]]] = []
        self.work_until = self.worked_at = BEGIN
        self.worker = WarmWorker(
            Settings(("rush", "bulk"), idle_s, micro_batch, "warm-1", "1"), folder, cast(Any, None)
        )
        self.worker._queues = cast(Any, self)
        self.worker._models = cast(Any, SimpleNamespace(loaded=None))

    def wait(self, max_count: int, seconds: int) -> list[Message]:
        self.asked.append(max_count)
        self.polls.append(seconds)
        self.after_polls.get(len(self.polls), lambda: None)()
        self.now += seconds
        return []

    def take(self, max_count: int, **how: Any) -> list[Message]:
        self.takes.append((max_count, how))
        return []

    def put_back(self, messages: list[Message], seconds: int = 0) -> None:
        assert seconds == 0
        self.put += [message.id for message in messages]

    def draw_next(self) -> bool:
        """There is work until `work_until`."""
        self.now += 0.01
        if self.now < self.work_until:
            self.worked_at = self.now
            return True
        return False

    def hold(self, count: int, priority: int = 1) -> InFlightJob:
        """A job of `count` pictures in flight."""
        name = f"s3://bucket/{count}-{priority}/m.json"
        ticket = Ticket(job_id="j", run=1, attempt=1, manifest_uri=name, group="g", pictures=count)
        job = InFlightJob(Message("m", "{}", "r", "bulk", priority), ticket, manifest(count=count), Stop(None, never))
        self.worker._in_flight.add(job)
        return job


class Writing:
    """Pictures that are being written for the first `looks` looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    @property
    def pending(self) -> int:
        self._looks -= 1
        return int(self._looks >= 0)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A region, so that clients can be made; nothing is sent."""
    for name, value in (("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.part("JOB-4")
class TestLeaving:
    def run(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> float:
        """How long the worker stayed."""
        monkeypatch.setattr("worker.warm.worker.time", SimpleNamespace(monotonic=lambda: loop.now))
        monkeypatch.setattr(loop.worker, "_draw_next", loop.draw_next)
        loop.worker._drain()
        return loop.now - BEGIN

    def test_it_leaves_after_its_idle_time_and_not_sooner(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Polls are of two seconds, so that it notices soon when it has to stop."""
        loop = Loop(tmp_path, idle_s=30.0)
        assert 30.0 <= self.run(loop, environment) < 32.0
        assert set(loop.polls) <= {1, 2}
        assert loop.polls[:5] == [2] * 5

    def test_work_sets_the_time_back(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        loop = Loop(tmp_path, idle_s=30.0)
        loop.work_until = BEGIN + 100.0
        stayed = self.run(loop, environment)
        assert 30.0 <= stayed - (loop.worked_at - BEGIN) < 32.0
        assert loop.worked_at > BEGIN + 95.0

    def test_what_is_still_being_written_keeps_it(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        loop = Loop(tmp_path, idle_s=0.0)
        loop.worker._completion = cast(Any, Writing(5))
        self.run(loop, environment)
        assert len(loop.polls) == 6

    def test_an_attempt_that_has_not_ended_keeps_it(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """All its pictures are drawn, and its end is not reported yet; here it ends after five polls."""
        loop = Loop(tmp_path, idle_s=0.0)
        job = loop.hold(1)
        job.missing.clear()
        loop.after_polls[5] = lambda: loop.worker._in_flight.remove(job)
        self.run(loop, environment)
        assert len(loop.polls) == 5

    def test_without_idle_time_it_leaves_at_once(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        loop = Loop(tmp_path, idle_s=0.0)
        self.run(loop, environment)
        assert loop.polls == [0]


@pytest.mark.part("JOB-6")
@pytest.mark.usefixtures("environment")
class TestAsking:
    def test_four_micro_batches_are_taken(self, tmp_path: Path) -> None:
        """Three pictures of sixteen are here."""
        loop = Loop(tmp_path, idle_s=9.0)
        loop.hold(3)
        loop.worker._receive(9.0)
        assert loop.takes == [(13, {"urgent_last": False})]
        assert loop.polls == []

    def test_in_the_others_turn_the_least_urgent_are_asked_first(self, tmp_path: Path) -> None:
        loop = Loop(tmp_path, idle_s=9.0)
        loop.hold(3)
        loop.worker._turn = 7
        loop.worker._receive(9.0)
        assert loop.takes == [(13, {"urgent_last": True})]

    def test_with_enough_in_flight_one_micro_batch_of_what_is_more_urgent(self, tmp_path: Path) -> None:
        """More urgent than the most urgent that waits; what is drawn already does not count."""
        loop = Loop(tmp_path, idle_s=9.0)
        loop.hold(12, priority=2)
        loop.hold(4, priority=1)
        loop.hold(1, priority=0).missing.clear()
        loop.worker._receive(9.0)
        assert loop.takes == [(4, {"more_urgent_than": 1})]

    @pytest.mark.parametrize(("micro_batch", "asked"), [(1, 4), (2, 8), (4, 10)])
    def test_an_idle_worker_asks_for_as_much_as_it_draws_and_ten_at_most(
        self, tmp_path: Path, micro_batch: int, asked: int
    ) -> None:
        """SQS gives no more at once, and what it holds back others could draw."""
        loop = Loop(tmp_path, idle_s=9.0, micro_batch=micro_batch)
        loop.worker._receive(9.0)
        assert loop.asked == [asked]


class Engines:
    """Where engines come from; `breaks` is raised instead of one."""

    def __init__(self, loaded: tuple[str, bool] | None, breaks: Exception | None = None) -> None:
        self.loaded, self.breaks = loaded, breaks

    def engine(self, model: str, on_progress: Callable[[float], None], *, reduced: bool) -> Any:
        on_progress(0.5)
        if self.breaks:
            raise self.breaks
        self.loaded = (model, reduced)
        return SimpleNamespace(name="fake", notes=(), ignored=lambda drawing: ())


class Attempted:
    """What the loop asks of a claimed attempt."""

    def __init__(self, of: InFlightJob) -> None:
        self.work, self.folder, self.state = of.manifest.work, Path("/nowhere"), dict[str, Any]()
        self.meter = Meter(SavedState(), shared=True)
        self.begun: list[str] = []
        self.shown: list[tuple[float, str]] = []

    def begin(self, stage: str) -> None:
        self.begun.append(stage)

    def progress(self, fraction: float, message: str = "") -> None:
        self.shown.append((fraction, message))

    def note(self, text: str) -> None:
        raise AssertionError(text)


def claimed(job: InFlightJob) -> Attempted:
    """Makes the job this worker's."""
    made = Attempted(job)
    job.attempt, job.reporter = cast(Any, made), cast(Any, Told())
    return made


class Told:
    """A reporter: the codes of what was told, and for how long it was tried."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, float]] = []

    def failed(self, error: WorkerError, partial: str | None, timeout_s: float) -> bool:
        assert partial is None
        self.sent.append((error.code, timeout_s))
        return True


@pytest.mark.part("JOB-4")
@pytest.mark.usefixtures("environment")
class TestDrawing:
    @pytest.fixture
    def loop(self, tmp_path: Path) -> Loop:
        """A worker without a model, whose renderer notes what it is given."""
        loop = Loop(tmp_path, idle_s=9.0)
        self.models = Engines(None)
        self.drawn: list[list[int]] = []
        self.failed: list[str] = []
        loop.worker._models = cast(Any, self.models)
        loop.worker._renderer.run = cast(  # type: ignore[method-assign]
            Any, lambda engine, items: self.drawn.append([item.index for item in items])
        )
        loop.worker._completion.fail = cast(  # type: ignore[method-assign]
            Any, lambda job, error: self.failed.append(error.code)
        )
        return loop

    def test_what_is_drawn_is_missing_no_more_and_each_micro_batch_is_a_turn(self, loop: Loop) -> None:
        """The rest of a large job is left to the next one."""
        job = loop.hold(6)
        attempt = claimed(job)
        assert loop.worker._draw_next()
        assert (self.drawn, job.missing, loop.worker._turn) == ([[0, 1, 2, 3]], [4, 5], 1)
        assert (attempt.begun, attempt.state) == (["load", "draw"], {"engine": "fake"})
        assert loop.worker._draw_next()
        assert (self.drawn[1], job.missing, loop.worker._turn) == ([4, 5], [], 2)
        assert attempt.begun == ["load", "draw", "draw"]
        assert not loop.worker._draw_next()
        assert loop.worker._turn == 2

    def test_loading_is_told_by_halves_and_charged_to_nobody(self, loop: Loop) -> None:
        """Those who come after use the model as well."""
        attempt = claimed(loop.hold(1))
        assert loop.worker._draw_next()
        assert attempt.shown == [(0.25, "Fetching the model")]
        (load,) = attempt.meter.stages
        assert load.stage == "load"
        assert 0 <= load.seconds < 60
        assert attempt.meter.compute_seconds == 0

    def test_a_loaded_model_is_not_told_of(self, loop: Loop) -> None:
        job = loop.hold(1)
        attempt = claimed(job)
        self.models.loaded = (job.key.model, job.key.reduced)
        assert loop.worker._draw_next()
        assert attempt.begun == ["draw"]
        assert attempt.meter.stages == ()

    def test_a_model_that_cannot_be_had_fails_all_that_wait_for_it(self, loop: Loop) -> None:
        """Each once, and nothing is drawn."""
        self.models.breaks = ZeroDivisionError()
        for number in (1, 2):
            claimed(loop.hold(number))
        assert loop.worker._draw_next()
        assert (self.drawn, self.failed) == ([], ["unexpected_error"] * 2)
        assert not loop.worker._draw_next()

    def test_where_memory_does_not_suffice_fewer_are_chosen(self, loop: Loop) -> None:
        job = loop.hold(6)
        claimed(job)
        loop.worker._renderer._capacities[job.key.plain] = 2
        assert loop.worker._draw_next()
        assert self.drawn == [[0, 1]]

    def test_what_turns_out_to_be_anothers_was_work_too(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that a worker that finds the queue full of it does not leave."""
        loop.hold(1)
        monkeypatch.setattr(loop.worker._receiver, "claim", lambda job: False)
        assert loop.worker._draw_next()
        assert self.drawn == []

    def test_who_has_to_stop_claims_nothing_any_more(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        """What came to light since the loop's own look must not cost another job an attempt."""
        claims: list[InFlightJob] = []
        monkeypatch.setattr(loop.worker._receiver, "claim", claims.append)
        loop.hold(1)
        loop.worker._stop.request(Interrupted())
        with pytest.raises(Interrupted):
            loop.worker._draw_next()
        assert claims == []

    def test_what_an_earlier_entry_drew_is_only_ended(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        finished: list[InFlightJob] = []
        whole, half = loop.hold(1), loop.hold(3)
        left = {1: [], 3: [2]}

        def claim(job: InFlightJob) -> bool:
            claimed(job)
            job.set_missing(left[job.ticket.pictures])
            return True

        monkeypatch.setattr(loop.worker._receiver, "claim", claim)
        monkeypatch.setattr(loop.worker._completion, "finish", finished.append)
        assert loop.worker._draw_next()
        assert (finished, self.drawn, half.missing) == ([whole], [[2]], [])


@pytest.mark.part("JOB-4")
@pytest.mark.usefixtures("environment")
class TestEndingAll:
    def test_what_is_not_begun_goes_back_and_what_is_not_drawn_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is drawn and being written still ends well."""
        loop = Loop(tmp_path, idle_s=9.0)
        failed: list[InFlightJob] = []
        monkeypatch.setattr(loop.worker._completion, "fail", lambda job, error: failed.append(job))
        unclaimed, begun, drawn = (loop.hold(number) for number in (1, 2, 3))
        for job in (begun, drawn):
            claimed(job)
        drawn.drawn_count = 3
        loop.worker._end_all(Interrupted())
        assert (loop.put, failed) == ([unclaimed.message.id], [begun])
        assert loop.worker._in_flight.all() == [begun, drawn]
        loop.worker._end_all(Interrupted())
        assert failed == [begun]

    def test_a_drawing_that_does_not_come_back_is_told_of_and_the_process_ends(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of each with its own reason, for four seconds: ECS kills soon. Another worker goes on."""
        (tmp_path / "scratch").mkdir(exist_ok=True)
        loop = Loop(tmp_path / "scratch", idle_s=9.0)
        left: list[int] = []
        monkeypatch.setattr("worker.warm.worker.os._exit", left.append)
        unclaimed, interrupted, canceled, ended = (loop.hold(number) for number in (1, 2, 3, 4))
        for job in (interrupted, canceled, ended):
            claimed(job)
        canceled.canceled.set()
        ended.ended = True
        loop.worker._stuck()
        told = [cast(Any, job.reporter).sent for job in (interrupted, canceled, ended)]
        assert told == [[("interrupted", 4.0)], [("canceled", 4.0)], []]
        assert (left, unclaimed.reporter, (tmp_path / "scratch").exists()) == ([75], None, False)

    def test_it_ends_though_its_files_are_gone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever had stuck may have removed them."""
        left: list[int] = []
        monkeypatch.setattr("worker.warm.worker.os._exit", left.append)
        loop = Loop(tmp_path / "gone", idle_s=9.0)
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        loop.worker._stuck()
        assert left == [75]


@pytest.mark.part("JOB-4")
class TestBeginning:
    """A worker that cannot begin says so by its exit code, in lines that name its Batch job."""

    @pytest.fixture
    def named(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What every log line holds."""
        always: dict[str, str] = {}
        monkeypatch.setattr("worker.warm.worker.log_json", lambda **fields: always.update(fields))
        monkeypatch.setenv("AWS_BATCH_JOB_ID", "warm-7")
        return always

    def test_a_wrong_setting_is_a_bug(self, named: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMAGE_QUEUE_URLS", "")
        assert main() == 70
        assert named == {"batch_job_id": "warm-7"}

    def test_a_disk_that_holds_nothing_is_worth_another_try(
        self, named: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(batch_job_id: str) -> Any:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setenv("IMAGE_QUEUE_URLS", "rush")
        monkeypatch.setattr("worker.warm.worker.scratch", full)
        assert main() == 75


@pytest.mark.part("JOB-4")
@pytest.mark.parametrize(("set_before", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_torch_sleep_while_they_wait(
    monkeypatch: pytest.MonkeyPatch, set_before: str | None, found: str
) -> None:
    """Unless the operator wants it otherwise; before torch is loaded."""
    seen: list[str | None] = []

    def noting() -> int:
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
        return 3

    monkeypatch.setenv("OMP_WAIT_POLICY", set_before or "x")
    if set_before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr("worker.warm.worker.main", noting)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("worker.warm", run_name="__main__")
    assert (seen, left.value.code) == ([found], 3)
