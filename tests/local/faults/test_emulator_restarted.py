"""The emulator stops cleanly and comes back: running executions are lost with it, the scenario's own rows are not."""

import pytest

from infrastructure.local.region import Region
from tests.local.faults.scenario import FINAL, LONG, PICTURE, Scenario
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "JOB-11", "BIL-1")


def test_jobs_that_ran_were_queued_or_just_ordered_all_succeed(region: Region, scenario: Scenario) -> None:
    """Their executions come back as failed; the sweeper starts others, which take over the work that goes on."""
    running = scenario.order(LONG)
    scenario.when(running, "draw")
    queued = scenario.order(PICTURE)
    until(lambda: scenario.sent(queued), seconds=60)
    ordered = scenario.order(PICTURE)
    region.restart_emulator()

    for job_id in (running, queued, ordered):
        if scenario.job(job_id)["state"] not in FINAL:
            scenario.let_time_pass(job_id)
    ended = [scenario.settled(job_id, "succeeded") for job_id in (running, queued, ordered)]

    scenario.balanced(*ended)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_sweeper_finds_them_by_its_own_schedule(region: Region, scenario: Scenario) -> None:
    """Nobody hurries it: within minutes of real time all is well."""
    running = scenario.order(LONG)
    scenario.when(running, "draw")
    queued = scenario.order(PICTURE)
    until(lambda: scenario.sent(queued), seconds=60)
    region.restart_emulator()

    scenario.balanced(*(scenario.settled(job_id, "succeeded", seconds=400) for job_id in (running, queued)))
