"""The functions host is killed with all functions in it: what was in hand is done again, and nothing twice."""

from contextlib import ExitStack
from functools import partial

import pytest

from infrastructure.local.region import Region
from tests.local.faults.scenario import LONG, PICTURE, Scenario, kill_host, struck_at_start_of

pytestmark = pytest.mark.part("JOB-4", "BIL-1")

WAY = ("publish-jobs-outbox", "check-job", "dispatch-job", "settle-job")
"""A job's way: between transaction and stream, in the workflow, between dispatch and answer, during settle."""


class TestKilledAtWork:
    """SIGKILL in the moment in which a function has begun; its answer never comes."""

    def test_in_every_function_on_the_way_of_one_job(self, region: Region, scenario: Scenario) -> None:
        """Four kills for one job, each in another step's first invocation."""
        with ExitStack() as watchers:
            strike = partial(kill_host, region)
            hits = [watchers.enter_context(struck_at_start_of(scenario.log(name), strike)) for name in WAY]
            job = scenario.settled(scenario.order(PICTURE), "succeeded")

        for name, hit in zip(WAY, hits, strict=True):
            assert hit, f"{name} was never struck"
            assert f"REPORT RequestId: {hit[0]}" not in scenario.log(name).read_text(), f"{name} was struck too late"
        assert job["run"] == 1
        scenario.balanced(job)

    @pytest.mark.full
    @pytest.mark.parametrize("name", [*WAY, "on-report"])
    def test_in_one_function(self, region: Region, scenario: Scenario, name: str) -> None:
        with struck_at_start_of(scenario.log(name), partial(kill_host, region)) as hit:
            job = scenario.settled(scenario.order(PICTURE), "succeeded")
        assert hit
        scenario.balanced(job)


class TestKilledBetween:
    """SIGKILL while no function works for the job."""

    def test_right_after_the_answer_and_while_the_worker_draws(self, region: Region, scenario: Scenario) -> None:
        """The 201 is a promise: the stream, the execution and the reports outlive the host."""
        job_id = scenario.order(LONG)
        kill_host(region)
        scenario.when(job_id, "draw")
        kill_host(region)

        job = scenario.settled(job_id, "succeeded")

        assert job["attempt"] == 1
        assert len(scenario.batch_ids(job_id)) == 1
        scenario.balanced(job)
