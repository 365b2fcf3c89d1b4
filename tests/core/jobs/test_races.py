"""Eight processes on one balance and on one job: exact."""

import multiprocessing
from dataclasses import dataclass

import pytest

from snapforge.billing.service import audits, ledger
from snapforge.jobs import schemas
from snapforge.jobs.service import queries
from snapforge.kit.permissions import Principal
from tests.core.jobs.engine import Engine
from tests.core.jobs.racer import ProgressSnapshot, Track, race

PROCESSES = 8
ENDS = 4


@dataclass(frozen=True)
class Raced:
    """What stands after the races, and what each process saw."""

    one_key: Principal
    one_balance: Principal
    ends: Principal
    ending: list[schemas.Job]
    told: list[ProgressSnapshot]


@pytest.fixture(scope="module")
def raced(engine: Engine) -> Raced:
    """All races, run once."""
    one_key, one_balance, ends = engine.customer(), engine.customer(11), engine.customer()
    ending = [engine.order(ends) for _ in range(ENDS)]
    for job in ending:
        engine.working(ends, job)
    track = Track(
        one_key.org_id, one_balance.org_id, ends.org_id, tuple((job.id, engine.results(job)) for job in ending)
    )
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(PROCESSES), context.Queue()
    racers = [
        context.Process(target=race, args=(number, track, start, told), daemon=True) for number in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    seen = [told.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join(10)
    return Raced(one_key, one_balance, ends, ending, seen)


@pytest.mark.part("JOB-3")
class TestEightProcesses:
    def test_one_key_makes_one_job(self, raced: Raced) -> None:
        """All eight are answered with the same job, held once."""
        (job_id,) = {told.same_key for told in raced.told}
        listed = queries.list_jobs(raced.one_key, schemas.JobsQuery())
        assert [job.id for job in listed.items] == [job_id]
        assert ledger.balance(raced.one_key.org_id).held == 2
        assert audits.audit(raced.one_key.org_id) == []

    def test_eleven_credits_buy_five_jobs_of_two(self, raced: Raced) -> None:
        """Sixteen tries: five are made, eleven refused, one credit is left."""
        created = [job_id for told in raced.told for job_id in told.created]
        assert len(set(created)) == len(created) == 5
        assert sum(told.refused for told in raced.told) == 11
        balance = ledger.balance(raced.one_balance.org_id)
        assert (balance.available, balance.held) == (1, 10)
        assert audits.audit(raced.one_balance.org_id) == []

    @pytest.mark.part("JOB-5")
    def test_cancel_against_completion_has_one_winner(self, raced: Raced, engine: Engine) -> None:
        """Everybody sees the same end; credits and news agree with it."""
        charged = 0
        for place, job in enumerate(raced.ending):
            (end,) = {told.ended_as[place] for told in raced.told}
            seen = queries.get_job(raced.ends, job.id)
            assert seen.state == end
            assert seen.price.charged == (2 if end == "succeeded" else 0)
            charged += seen.price.charged or 0
        balance = ledger.balance(raced.ends.org_id)
        assert (balance.available, balance.held) == (100 - charged, 0)
        assert audits.audit(raced.ends.org_id) == []
        ended = [kind for kind in engine.news(raced.ends) if kind != "job.submitted"]
        assert len(ended) == ENDS
