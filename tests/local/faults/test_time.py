"""A job runs out of its time: it fails with `deadline`, its work is stopped, nothing is charged."""

import os
import signal

import psutil
import pytest

from infrastructure.local.region import Region
from tests.local.faults.scenario import LONG, PICTURE, Scenario
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "JOB-11", "BIL-1")


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def test_a_frozen_worker_is_given_up_at_the_deadline_and_ended(scenario: Scenario) -> None:
    """SIGSTOP: it lives, it says nothing, and it cannot even be asked to stop."""
    job_id = scenario.order(LONG)
    scenario.when(job_id, "draw")
    pids = scenario.signal_worker(job_id, signal.SIGSTOP)
    scenario.let_time_pass(job_id, deadline=True)

    job = scenario.settled(job_id, "failed", seconds=60)

    assert job["failure"]["category"] == "deadline"
    assert job["failure"]["charged"] == 0
    until(lambda: gone(pids), seconds=30)
    scenario.balanced(job)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_a_job_that_no_machine_takes_fails_at_the_deadline_by_the_sweepers_own_schedule(
    region: Region, scenario: Scenario
) -> None:
    """Batch itself hangs from the order to beyond the deadline; what it hears late changes nothing."""
    os.kill(region.batch.pid, signal.SIGSTOP)
    try:
        job_id = scenario.order(PICTURE)
        scenario.move_deadline(job_id, ("deadline", "deadline_at"))
        job = scenario.settled(job_id, "failed", seconds=200)
        assert job["failure"]["category"] == "deadline"
    finally:
        os.kill(region.batch.pid, signal.SIGCONT)
    scenario.balanced(job)
    until(lambda: scenario.tickets() == 0, seconds=60)
    assert scenario.job(job_id)["state"] == "failed"
    scenario.balanced(job)
