"""The keeper of warm workers, on a real DynamoDB and a Batch that says what it is told to say."""

from datetime import timedelta
from typing import Any

import pytest

from snapforge.aws import batch
from snapforge.jobs import decisions, schemas, store
from snapforge.jobs.domain import locations
from snapforge.jobs.domain.fleet import Policy, Waiting, Workers, is_milestone, seconds_to_begin, to_start
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service.fleet import autoscaling
from snapforge.kit import clock
from tests.core.jobs.engine import Engine

GONE = Outcome(outcome="gone")


@pytest.mark.part("JOB-6")
class TestKeeper:
    """Workers are started for what waits, by Batch's word on those that are there."""

    @pytest.fixture(autouse=True)
    def empty(self, engine: Engine) -> None:
        """Nothing waits, nobody works, nothing was decided."""
        for place in locations.QUEUES:
            for row in store.in_place(place, limit=500):
                found = store.find_attempt(row.pk.removeprefix("job#"), *map(int, row.sk.split("#")[1:]))
                if found is not None:
                    store.close(found, GONE, clock.now())
        for batch_id, job in engine.batch.jobs.items():
            if job["jobName"] == "image-worker" and job["status"] not in {"SUCCEEDED", "FAILED"}:
                engine.batch.end(batch_id, "SUCCEEDED", 0)
        if decisions.last().version:
            decisions.last().delete()

    def workers(self, engine: Engine) -> list[str]:
        """The status of those that Batch knows and have not ended."""
        found = [job for job in engine.batch.jobs.values() if job["jobName"] == "image-worker"]
        return [job["status"] for job in found if job["status"] not in {"SUCCEEDED", "FAILED"}]

    def wait(self, engine: Engine, jobs_: int, **more: Any) -> list[schemas.Job]:
        """So many jobs come into the queue."""
        who = engine.customer()
        made = [engine.order(who, **more) for _ in range(jobs_)]
        for job in made:
            engine.dispatch(who, job, "token")
        return made

    def test_without_tickets_nobody_is_started(self, engine: Engine) -> None:
        assert autoscaling.keep_workers() == 0
        assert self.workers(engine) == []

    def test_the_first_ticket_starts_a_worker_at_once_and_the_next_ones_do_not(self, engine: Engine) -> None:
        self.wait(engine, 4)
        assert self.workers(engine) == ["RUNNABLE"]
        worker = [job for job in engine.batch.jobs.values() if job["status"] == "RUNNABLE"][-1]
        assert worker["asked"]["jobQueue"] == "snapforge-dev-images"
        assert worker["asked"]["jobDefinition"] == "snapforge-dev-image"
        assert "shareIdentifier" not in worker["asked"]

    def test_workers_that_batch_does_not_list_yet_count(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its list lags behind: what was just submitted is asked for by its id."""
        monkeypatch.setattr(batch, "unfinished", lambda queue: {})
        self.wait(engine, 2)
        assert autoscaling.keep_workers() == 0
        assert len(self.workers(engine)) == 1

    def test_of_two_that_decide_at_once_one_looks_again(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wait(engine, 1)
        for batch_id in [name for name, job in engine.batch.jobs.items() if job["jobName"] == "image-worker"]:
            engine.batch.end(batch_id, "SUCCEEDED", 0)
        real = decisions.last
        raced: list[bool] = []

        def read() -> decisions.FleetRow:
            row = real()
            if not raced:
                raced.append(True)
                autoscaling.keep_workers()
            return row

        monkeypatch.setattr(decisions, "last", read)
        assert autoscaling.keep_workers() == 0
        assert len(self.workers(engine)) == 1

    def test_a_worker_that_has_ended_is_replaced_while_tickets_wait(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(autoscaling, "PAUSE", timedelta())
        self.wait(engine, 1)
        (batch_id,) = [
            name for name, job in engine.batch.jobs.items() if job["status"] == "RUNNABLE" and "asked" in job
        ][-1:]
        engine.batch.end(batch_id, "FAILED", 1)
        assert autoscaling.keep_workers(after_end=True) == 1
        assert len(self.workers(engine)) == 1

    def test_the_age_of_the_oldest_ticket_brings_one_more(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.wait(engine, 2)
        for job in engine.batch.jobs.values():
            if job["jobName"] == "image-worker" and job["status"] == "RUNNABLE":
                job["status"] = "RUNNING"
        assert autoscaling.keep_workers() == 0
        assert not autoscaling.is_cold()
        later = clock.now() + timedelta(seconds=181)
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: later)
        assert autoscaling.keep_workers() == 1
        assert sorted(self.workers(engine)) == ["RUNNABLE", "RUNNING"]
        assert autoscaling.keep_workers() == 0


@pytest.mark.part("JOB-6")
class TestDecision:
    """The pure one."""

    POLICY = Policy(target_seconds=60, max_workers=4)

    @pytest.mark.parametrize(
        ("waiting", "running", "starting", "started"),
        [
            ((0, 0.0, 0.0), 0, 0, 0),
            ((1, 1.0, 0.0), 0, 0, 1),
            ((1, 1.0, 0.0), 0, 1, 0),
            ((1, 1.0, 0.0), 1, 0, 0),
            ((9, 130.0, 0.0), 0, 0, 3),
            ((9, 130.0, 0.0), 1, 1, 1),
            ((2, 130.0, 0.0), 0, 0, 2),
            ((99, 9999.0, 0.0), 0, 0, 4),
            ((99, 9999.0, 999.0), 4, 0, 0),
            ((5, 1.0, 61.0), 2, 0, 1),
            ((5, 1.0, 61.0), 2, 1, 0),
            ((1, 500.0, 61.0), 0, 1, 0),
            ((2, 9999.0, 0.0), 0, 1, 1),
            ((5, 1.0, 60.0), 2, 0, 0),
        ],
    )
    def test_as_many_as_the_work_and_the_age_of_what_waits_demand(
        self, waiting: tuple[int, float, float], running: int, starting: int, started: int
    ) -> None:
        assert to_start(Waiting(*waiting), Workers(running, starting), self.POLICY) == started

    def test_a_turn_comes_as_the_policy_promises(self) -> None:
        assert seconds_to_begin(0, self.POLICY) == 0
        assert seconds_to_begin(59, self.POLICY) == 59
        assert seconds_to_begin(120, self.POLICY) == 60
        assert seconds_to_begin(480, self.POLICY) == 120

    def test_dispatch_asks_at_powers_of_two(self) -> None:
        assert [number for number in range(300) if is_milestone(number)] == [0, 1, 2, 4, 8, 16, 32, 64, 128]
