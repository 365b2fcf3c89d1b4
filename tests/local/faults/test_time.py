"""A job runs out of its time: it fails with `deadline`, its work is stopped, nothing is charged."""

import os
import signal

import psutil
import pytest

from infrastructure.local.region import Region
from tests.local.faults.house import LONG, PICTURE, MailContext
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "JOB-11", "BIL-1")


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def test_a_frozen_worker_is_given_up_at_the_deadline_and_ended(house: MailContext) -> None:
    """SIGSTOP: it lives, it says nothing, and it cannot even be asked to stop."""
    job_id = house.order(LONG)
    house.when(job_id, "draw")
    pids = house.signal_worker(job_id, signal.SIGSTOP)
    house.let_time_pass(job_id, deadline=True)

    job = house.settled(job_id, "failed", seconds=60)

    assert job["failure"]["category"] == "deadline"
    assert job["failure"]["charged"] == 0
    until(lambda: gone(pids), seconds=30)
    house.balanced(job)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_a_job_that_no_machine_takes_fails_at_the_deadline_by_the_sweepers_own_schedule(
    region: Region, house: MailContext
) -> None:
    """Batch itself hangs from the order to beyond the deadline; what it hears late changes nothing."""
    os.kill(region.batch.pid, signal.SIGSTOP)
    try:
        job_id = house.order(PICTURE)
        house.move_deadline(job_id, ("deadline", "deadline_at"))
        job = house.settled(job_id, "failed", seconds=200)
        assert job["failure"]["category"] == "deadline"
    finally:
        os.kill(region.batch.pid, signal.SIGCONT)
    house.balanced(job)
    until(lambda: house.tickets() == 0, seconds=60)
    assert house.job(job_id)["state"] == "failed"
    house.balanced(job)
