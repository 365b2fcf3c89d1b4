"""The worker dies: killed in a stage, reclaimed by Spot, out of disk. Another attempt finishes, paid once."""

import resource
import signal

import pytest

from tests.local.faults.scenario import LONG, Scenario
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-4", "JOB-11", "BIL-1")


@pytest.mark.usefixtures("prompt_batch_news")
class TestKilled:
    """SIGKILL, as the kernel's memory killer or a lost machine does it: no last word."""

    def test_with_a_micro_batch_half_done_all_its_jobs_finish_elsewhere(self, scenario: Scenario) -> None:
        """What was drawn and kept is not drawn again, and each picture is delivered and paid once."""
        made = [scenario.order(LONG | {"seed": seed, "count": 3}) for seed in (11, 21, 31)]
        # All begun: a ticket in the hand of one that dies, of which nobody knows, comes back after two minutes only.
        until(lambda: all(scenario.job(job_id)["state"] != "queued" for job_id in made), seconds=150)
        until(lambda: any(scenario.kept(job_id) for job_id in made), seconds=150)
        begun = [job_id for job_id in made if scenario.job(job_id)["state"] == "running"]
        (killed,) = scenario.batch_ids(begun[0])
        scenario.signal_worker(begun[0], signal.SIGKILL)

        ended = [scenario.settled(job_id, "succeeded") for job_id in made]

        assert {job["attempt"] for job in ended} <= {1, 2}
        assert 2 in {job["attempt"] for job in ended}
        again = [job["id"] for job in ended if job["attempt"] == 2]
        assert killed not in {scenario.attempt_rows(job_id)[-1]["owner"] for job_id in again}
        scenario.balanced(*ended)


class TestReclaimed:
    """SIGTERM, as Spot gives it two minutes before."""

    def test_mid_draw_the_pictures_that_were_drawn_are_kept_and_the_rest_is_drawn_elsewhere(
        self, scenario: Scenario
    ) -> None:
        """The worker says that it was interrupted; the next attempt takes its checkpoints over."""
        job_id = scenario.order(LONG)
        until(lambda: scenario.kept(job_id), seconds=150)
        kept = scenario.kept(job_id)
        scenario.signal_worker(job_id, signal.SIGTERM)

        job = scenario.settled(job_id, "succeeded")

        assert job["attempt"] == 2
        assert 0 < len(kept) < 6
        scenario.balanced(job)


class TestFullDisk:
    """RLIMIT_FSIZE set on the running worker: every larger write fails as on a full disk."""

    @pytest.mark.usefixtures("prompt_batch_news")
    def test_while_drawing_the_worker_says_so_and_leaves_and_a_fresh_one_goes_on(self, scenario: Scenario) -> None:
        job_id = scenario.order(LONG)
        scenario.when(job_id, "draw")
        for process in scenario.workers(job_id):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

        job = scenario.settled(job_id, "succeeded")

        first, second = scenario.attempt_rows(job_id)
        assert "disk_full" in first["outcome"]
        assert second["owner"] != first["owner"]
        assert job["attempt"] == 2
        scenario.balanced(job)
