"""Cancels that meet each other, and the end of the job."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from infrastructure.local.demo.client import ApiError
from tests.local.faults.scenario import LONG, PICTURE, Scenario, struck_at_start_of
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-5", "BIL-1")


def test_two_cancels_at_once_end_the_job_once_and_its_drawing(scenario: Scenario) -> None:
    """A third one, later, is told the same. The worker drops the ticket, stays, and draws for others."""
    job_id = scenario.order(LONG)
    scenario.when(job_id, "draw")
    (worker,) = scenario.batch_ids(job_id)
    with ThreadPoolExecutor(2) as pool:
        told = [pool.submit(scenario.api.call, "cancel_job", job_id=job_id) for _ in range(2)]
        assert [answer.result().json["state"] for answer in told] == ["canceled", "canceled"]

    job = scenario.settled(job_id, "canceled")

    assert scenario.api.call("cancel_job", job_id=job_id).json["price"] == job["price"]
    until(lambda: scenario.tickets() == 0, seconds=60)
    assert "result.json" not in scenario.left_in_s3(job_id)
    scenario.balanced(job)
    other = scenario.order(PICTURE)
    scenario.balanced(job, scenario.settled(other, "succeeded"))
    assert scenario.batch_ids(other) == {worker}


def test_a_picture_that_waits_is_never_drawn_once_it_is_canceled(scenario: Scenario) -> None:
    """Behind one that is being drawn; its ticket is dropped unread."""
    first = scenario.order(LONG | {"count": 16})
    scenario.when(first, "draw")
    second = scenario.order(LONG | {"width": 160})
    until(lambda: scenario.sent(second), seconds=60)
    waiting = scenario.job(second)["progress"]
    scenario.api.call("cancel_job", job_id=second)

    ended = [scenario.settled(first, "succeeded"), scenario.settled(second, "canceled")]

    assert waiting["stage"] == "queued"
    until(lambda: scenario.tickets() == 0, seconds=60)
    assert not {name for name in scenario.left_in_s3(second) if name.startswith(("picture", "result"))}
    scenario.balanced(*ended)


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_cancel_against_completion_has_one_winner(scenario: Scenario, rounds: int) -> None:
    """A cancel that starts within the settlement: the job has succeeded and is paid, or is canceled and is not."""
    ended = []
    for number in range(rounds):
        job_id = scenario.order(PICTURE)
        cancel = Cancel(scenario, job_id, pause=0.04 * number)
        with struck_at_start_of(scenario.log("settle-job"), cancel) as hit:
            job = scenario.settled(job_id, "succeeded", "canceled")
            until(lambda hit=hit: hit, seconds=10)  # type: ignore[misc]
        assert cancel.refused in ("", "job_already_ended")
        assert job["state"] == ("succeeded" if cancel.refused else "canceled")
        assert scenario.job(job_id)["state"] == job["state"]
        ended.append(job)
    scenario.balanced(*ended)


@dataclass
class Cancel:
    """A cancel some time later; `refused` holds the refusal's code."""

    scenario: Scenario
    job_id: str
    pause: float
    refused: str = ""

    def __call__(self) -> None:
        time.sleep(self.pause)
        try:
            self.scenario.api.call("cancel_job", job_id=self.job_id)
        except ApiError as error:
            self.refused = error.code
