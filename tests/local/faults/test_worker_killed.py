"""The worker dies: killed in a stage, reclaimed by Spot, out of disk. Another attempt finishes, paid once."""

import resource
import signal

import pytest

from tests.local.faults.house import LONG, House
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "JOB-11", "BIL-1")


@pytest.mark.usefixtures("prompt_batch_news")
class TestKilled:
    """SIGKILL, as the kernel's memory killer or a lost machine does it: no last word."""

    def test_in_two_stages_of_two_jobs_both_finish_on_their_second_attempt(self, house: House) -> None:
        """While the first one backs off, the other one has the machine."""
        first = house.order(LONG)
        house.when(first, "load")
        house.signal_worker(first, signal.SIGKILL)
        second = house.order(LONG)
        house.when(second, "draw")
        house.signal_worker(second, signal.SIGKILL)

        ended = [house.settled(job_id, "succeeded") for job_id in (first, second)]

        assert [job["attempt"] for job in ended] == [2, 2]
        assert [job["receipt"]["attempts"] for job in ended] == [2, 2]
        house.balanced(*ended)


class TestReclaimed:
    """SIGTERM, as Spot gives it two minutes before."""

    def test_mid_draw_the_pictures_that_were_drawn_are_kept_and_the_rest_is_drawn_elsewhere(self, house: House) -> None:
        """The worker says that it was interrupted; the next attempt takes its checkpoints over."""
        job_id = house.order(LONG)
        until(lambda: house.kept(job_id), seconds=120)
        house.signal_worker(job_id, signal.SIGTERM)

        job = house.settled(job_id, "succeeded")

        assert job["attempt"] == 2
        house.balanced(job)


class TestFullDisk:
    """RLIMIT_FSIZE set on the running worker: every larger write fails as on a full disk."""

    def test_while_drawing_the_next_attempt_has_a_disk_of_its_own(self, house: House) -> None:
        job_id = house.order(LONG)
        house.when(job_id, "load")
        for process in house.workers(job_id):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, 1000))

        job = house.settled(job_id, "succeeded")

        first = house.attempt_rows(job_id)[0]
        assert "disk_full" in first["outcome"]
        assert job["attempt"] == 2
        house.balanced(job)
