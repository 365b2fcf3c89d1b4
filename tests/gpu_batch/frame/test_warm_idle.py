"""When a warm worker asks for more, and when it leaves: its loop on a clock of ours, without a queue or an engine."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snapforge.contracts.tickets import Ticket
from tests.gpu_batch.frame.test_modules import never
from tests.gpu_batch.frame.test_warm_batching import manifest
from worker.signals import Stop
from worker.warm.in_flight_job import InFlightJob
from worker.warm.queues import Message
from worker.warm.settings import Settings
from worker.warm.worker import WarmWorker


class Loop:
    """A worker whose queues pass the time: a long poll takes as long as it may, anything else a second."""

    def __init__(self, folder: Path, idle_s: float, micro_batch: int = 4) -> None:
        self.now = 0.0
        self.polls: list[int] = []
        self.after_polls: dict[int, Callable[[], None]] = {}
        self.takes: list[tuple[int, dict[str, Any]]] = []
        self.work_until = self.worked_at = 0.0
        self.worker = WarmWorker(
            Settings(("rush", "bulk"), idle_s, micro_batch, "warm-1", "1"), folder, cast(Any, None)
        )
        self.worker._queues = cast(Any, self)
        self.worker._models = cast(Any, SimpleNamespace(loaded=None))

    def wait(self, max_count: int, seconds: int) -> list[Message]:
        assert max_count >= 1
        self.polls.append(seconds)
        self.after_polls.get(len(self.polls), lambda: None)()
        self.now += seconds
        return []

    def take(self, max_count: int, **how: Any) -> list[Message]:
        self.takes.append((max_count, how))
        return []

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
        """When the worker left."""
        monkeypatch.setattr("worker.warm.worker.time", SimpleNamespace(monotonic=lambda: loop.now))
        monkeypatch.setattr(loop.worker, "_draw_next", loop.draw_next)
        loop.worker._drain()
        return loop.now

    def test_it_leaves_after_its_idle_time_and_not_sooner(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Polls are of two seconds, so that it notices soon when it has to stop."""
        loop = Loop(tmp_path, idle_s=30.0)
        assert 30.0 <= self.run(loop, environment) < 32.0
        assert set(loop.polls) <= {1, 2}

    def test_work_sets_the_time_back(self, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
        loop = Loop(tmp_path, idle_s=30.0)
        loop.work_until = 100.0
        assert 30.0 <= self.run(loop, environment) - loop.worked_at < 32.0
        assert loop.worked_at > 95.0

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
