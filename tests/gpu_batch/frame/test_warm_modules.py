"""The warm worker's modules one by one: selection, sharing out, the heartbeat on a clock of ours."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic, sleep
from typing import Any, cast

import pytest

from snapforge.contracts.manifest import Manifest
from snapforge.contracts.tickets import BEAT, BEAT_SECONDS, CANCELED, LOST_SECONDS, Ticket
from tests.gpu_batch.frame.warm import work
from worker.errors import Canceled, DeadlineError, Interrupted
from worker.signals import GRACE_S, Stop
from worker.storage import Missing, Storage
from worker.warm.heartbeat import TICK_S, Heartbeat
from worker.warm.in_flight_job import BatchKey, InFlightJob, InFlightJobs
from worker.warm.queues import VISIBILITY_S, Message, Queues
from worker.warm.selection import choose, share_out


@dataclass
class WaitingJob:
    """What the selection asks of a job."""

    name: str
    model: str = "m"
    priority: int = 1
    arrived: float = 0.0
    pictures: int = 1
    width: int = 64
    reduced: bool = False
    missing: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.missing = list(range(self.pictures))

    @property
    def key(self) -> BatchKey:
        """Size and model decide."""
        return BatchKey(self.model, self.reduced, self.width, 64, 4, 0.0, ())


def chosen(
    *jobs: WaitingJob, capacity: int = 4, loaded: str | None = "m", turn: int = 0, now: float = 1.0
) -> dict[str, int]:
    """Pictures of each job in the next micro-batch."""
    shares = choose(jobs, capacity, loaded and (loaded, False), turn, now)
    return {share.job.name: len(share.indices) for share in shares}


@pytest.mark.part("JOB-6")
class TestChoice:
    def test_urgency_leads_then_who_came_first(self) -> None:
        """Of unequal sizes only one can be drawn."""
        first, later = WaitingJob("first", arrived=0.1), WaitingJob("later", arrived=0.2, width=96)
        assert chosen(first, later) == {"first": 1}
        assert chosen(first, later, WaitingJob("rush", priority=0, arrived=0.9, width=128)) == {"rush": 1}
        assert chosen() == {}

    def test_compatible_jobs_fill_it_the_urgent_ones_first(self) -> None:
        """Part of a large job where no more fits."""
        jobs = (WaitingJob("bulk", priority=2, pictures=9), WaitingJob("standard", arrived=0.5, pictures=2))
        assert chosen(*jobs) == {"standard": 2, "bulk": 2}
        assert chosen(WaitingJob("other", width=96), capacity=1) == {"other": 1}

    def test_the_least_urgent_lead_every_eighth(self) -> None:
        """However many rush jobs come."""
        jobs = (WaitingJob("rush", priority=0), WaitingJob("bulk", priority=2, width=96))
        led = [next(iter(chosen(*jobs, turn=turn))) for turn in range(16)]
        assert led == (["rush"] * 7 + ["bulk"]) * 2

    @pytest.mark.part("JOB-7")
    def test_the_loaded_model_goes_on_until_another_has_waited_long(self) -> None:
        """For 20 s; an urgent job swaps at once. The reduced model is another one than the whole."""
        old, new = WaitingJob("old", model="other", arrived=0.0), WaitingJob("new", arrived=5.0)
        assert chosen(old, new, now=19.9) == {"new": 1}
        assert chosen(old, new, now=20.0) == {"old": 1}
        assert chosen(WaitingJob("rush", model="other", priority=0), new) == {"rush": 1}
        reduced = WaitingJob("reduced", reduced=True, arrived=0.0)
        assert chosen(reduced, new, now=19.0) == {"new": 1}
        assert chosen(reduced, new, now=19.0, loaded=None) == {"reduced": 1}

    def test_of_equals_who_came_first_gets_the_capacity(self) -> None:
        """Whatever order they are listed in; the leader's pictures come before those of more urgent jobs."""
        first, second = WaitingJob("first", arrived=1.0, pictures=3), WaitingJob("second", arrived=2.0, pictures=3)
        assert chosen(second, first) == {"first": 3, "second": 1}
        bulk, rush = WaitingJob("bulk", priority=2, pictures=3), WaitingJob("rush", priority=0, pictures=3)
        assert chosen(rush, bulk, turn=7) == {"bulk": 3, "rush": 1}

    @pytest.mark.part("JOB-12")
    @pytest.mark.parametrize(
        ("total", "weights", "parts"),
        [
            (10, [1, 1, 1], [4, 3, 3]),
            (11, [1, 1, 1], [4, 4, 3]),
            (7, [0, 0], [4, 3]),
            (0, [1, 2], [0, 0]),
            (5, [8, 1, 1], [4, 1, 0]),
            (8, [1, 2, 4], [1, 2, 5]),
            (9, [4, 2, 1], [5, 3, 1]),
        ],
    )
    def test_what_is_shared_out_adds_up(self, total: int, weights: list[int], parts: list[int]) -> None:
        """The rests decide, then the order."""
        assert share_out(total, weights) == parts
        assert sum(parts) == total


class MemoryStorage:
    """S3 in memory, with a note of what was written when."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def write(self, uri: str, body: bytes, media_type: str) -> None:
        del media_type
        self.objects[uri] = body
        self.written.append(uri)

    def read(self, uri: str) -> bytes:
        if uri not in self.objects:
            raise Missing(uri)
        return self.objects[uri]


class Extended:
    """Queues that count what is kept invisible."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def extend(self, messages: list[Message]) -> None:
        if messages:
            self.calls.append([message.receipt for message in messages])


class Scenario:
    """Jobs in flight, a heartbeat, and a clock that the test moves."""

    def __init__(self, deadline_s: float = 600.0) -> None:
        self.storage, self.queues, self.in_flight = MemoryStorage(), Extended(), InFlightJobs()
        self.stuck = 0
        self.heartbeat = Heartbeat(
            self.in_flight, cast(Storage, self.storage), cast(Queues, self.queues), "warm-1", self._on_stuck
        )
        self.claimed, self.unclaimed = (self._order(name, deadline_s) for name in ("a", "b"))
        self.claimed.attempt = cast(Any, object())

    def _on_stuck(self) -> None:
        self.stuck += 1

    def _order(self, name: str, deadline_s: float) -> InFlightJob:
        prefix = f"s3://bucket/runs/{name}/1/1/"
        manifest = Manifest(
            job_id=name, run=1, attempt=1, deadline=datetime.now(UTC) + timedelta(seconds=deadline_s),
            reports_queue_url="q", output_uri=prefix, work=work(),
        )  # fmt: skip
        ticket = Ticket(job_id=name, run=1, attempt=1, manifest_uri=prefix + "manifest.json", group="g", pictures=1)
        job = InFlightJob(
            Message(name, "{}", f"receipt-{name}", "q", 1), ticket, manifest, Stop(None, lambda error: None)
        )
        job.arrived = job.visibility_extended_at = 0.0
        self.in_flight.add(job)
        return job


@pytest.mark.part("JOB-4")
class TestHeartbeat:
    def test_beats_come_often_enough_and_only_of_what_is_claimed(self) -> None:
        """Ten minutes of ticks, one a second: never longer than the contract says, far from what counts as lost."""
        scenario = Scenario()
        times = []
        for second in range(100, 700):
            before = len(scenario.storage.written)
            scenario.heartbeat.tick(float(second))
            times += [second] * (len(scenario.storage.written) - before)
        assert {uri.rpartition("/")[2] for uri in scenario.storage.written} == {BEAT}
        assert all("/a/" in uri for uri in scenario.storage.written)
        gaps = {later - earlier for earlier, later in pairwise(times)}
        assert gaps == {BEAT_SECONDS - 1}
        assert max(gaps) + TICK_S <= 20
        assert max(gaps) < LOST_SECONDS / 3
        assert json.loads(scenario.storage.objects[scenario.claimed.prefix + BEAT])["batch_job_id"] == "warm-1"

    def test_messages_stay_invisible_claimed_or_not(self) -> None:
        """Every forty seconds: two tries more before the queue's own time is over."""
        scenario = Scenario()
        extended = []
        for second in range(601):
            before = len(scenario.queues.calls)
            scenario.heartbeat.tick(float(second))
            extended += [second] * (len(scenario.queues.calls) - before)
        assert extended == list(range(40, 601, 40))
        assert VISIBILITY_S == 3 * 40
        assert all(sorted(call) == ["receipt-a", "receipt-b"] for call in scenario.queues.calls)

    @pytest.mark.part("JOB-5")
    def test_a_cancel_is_seen_within_seconds(self) -> None:
        """The next look finds it."""
        scenario = Scenario()
        scenario.heartbeat.tick(100.0)
        scenario.storage.write(scenario.claimed.prefix + CANCELED, b"{}", "application/json")
        for second in range(101, 105):
            scenario.heartbeat.tick(float(second))
        assert scenario.claimed.canceled.is_set()
        assert not scenario.unclaimed.canceled.is_set()

    @pytest.mark.part("JOB-5")
    def test_the_store_is_asked_for_a_cancel_every_three_seconds_until_there_is_one(self) -> None:
        """A request costs, and a job that is canceled stays so."""
        scenario = Scenario()
        asked: list[int] = []
        read = scenario.storage.read

        def noting(uri: str) -> bytes:
            asked.append(second)
            return read(uri)

        scenario.storage.read = cast(Any, noting)
        for second in range(100, 110):
            scenario.heartbeat.tick(float(second))
        assert asked == [100, 103, 106, 109]
        scenario.storage.write(scenario.claimed.prefix + CANCELED, b"{}", "application/json")
        for second in range(110, 130):
            scenario.heartbeat.tick(float(second))
        assert asked == [100, 103, 106, 109, 112]
        assert scenario.claimed.canceled.is_set()

    def test_it_ticks_by_itself_while_the_worker_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("worker.warm.heartbeat.TICK_S", 0.005)
        scenario = Scenario()
        with scenario.heartbeat:
            end = monotonic() + 5.0
            while not scenario.storage.written and monotonic() < end:
                sleep(0.005)
        assert scenario.storage.written == [scenario.claimed.prefix + BEAT]

    def test_what_has_ended_is_beaten_for_no_more(self) -> None:
        scenario = Scenario()
        scenario.claimed.ended = True
        scenario.heartbeat.tick(100.0)
        assert scenario.storage.written == []

    def test_a_drawing_that_does_not_come_back_is_given_up(self) -> None:
        """Long after the deadline of what is being drawn, not of what is drawn, and not while it may still notice."""
        noticing = Scenario(deadline_s=5 - GRACE_S)
        noticing.heartbeat.tick(1.0)
        assert noticing.stuck == 0
        scenario = Scenario(deadline_s=-GRACE_S - 1)
        scenario.heartbeat.tick(1.0)
        assert scenario.stuck == 1
        scenario.claimed.drawn_count = scenario.claimed.to_draw
        scenario.heartbeat.tick(2.0)
        assert scenario.stuck == 1

    def test_an_outage_is_tried_again_at_the_next_tick(self) -> None:
        """A beat that could not be written is due still."""
        scenario = Scenario()

        def out_of_reach(uri: str, body: bytes, media_type: str) -> None:
            from worker.errors import TransientError

            raise TransientError("storage_unavailable", uri)

        write, scenario.storage.write = scenario.storage.write, cast(Any, out_of_reach)
        scenario.heartbeat.tick(100.0)
        scenario.storage.write = cast(Any, write)
        scenario.heartbeat.tick(101.0)
        assert scenario.storage.written == [scenario.claimed.prefix + BEAT]


@pytest.mark.part("JOB-4", "JOB-5")
class TestStopping:
    """What an attempt that asks is told."""

    def test_one_that_is_still_drawn_stops_for_its_own_reason_or_the_process(self) -> None:
        job = Scenario().claimed
        job.check()
        job.canceled.set()
        with pytest.raises(Canceled):
            job.check()
        late = Scenario(deadline_s=-1.0).claimed
        with pytest.raises(DeadlineError):
            late.check()
        late._stop.request(Interrupted())  # type: ignore[attr-defined]
        with pytest.raises(Interrupted):
            late.check()

    def test_one_whose_pictures_are_all_drawn_is_ended_at_any_rate(self) -> None:
        """What is left takes a second."""
        job = Scenario(deadline_s=-1.0).claimed
        job.canceled.set()
        job.drawn_count = job.to_draw
        job.check()
