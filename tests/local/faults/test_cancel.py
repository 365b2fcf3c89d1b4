"""Cancels that meet each other, and the end of the job."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from infrastructure.local.demo.client import ApiError
from tests.local.faults.house import LONG, PICTURE, MailContext, struck_at_start_of
from tests.support.region import until

pytestmark = pytest.mark.part("JOB-5", "BIL-1")


def test_two_cancels_at_once_end_the_job_once_and_its_drawing(house: MailContext) -> None:
    """A third one, later, is told the same. The worker drops the ticket, stays, and draws for others."""
    job_id = house.order(LONG)
    house.when(job_id, "draw")
    (worker,) = house.batch_ids(job_id)
    with ThreadPoolExecutor(2) as pool:
        told = [pool.submit(house.api.call, "cancel_job", job_id=job_id) for _ in range(2)]
        assert [answer.result().json["state"] for answer in told] == ["canceled", "canceled"]

    job = house.settled(job_id, "canceled")

    assert house.api.call("cancel_job", job_id=job_id).json["price"] == job["price"]
    until(lambda: house.tickets() == 0, seconds=60)
    assert "result.json" not in house.left_in_s3(job_id)
    house.balanced(job)
    other = house.order(PICTURE)
    house.balanced(job, house.settled(other, "succeeded"))
    assert house.batch_ids(other) == {worker}


def test_a_picture_that_waits_is_never_drawn_once_it_is_canceled(house: MailContext) -> None:
    """Behind one that is being drawn; its ticket is dropped unread."""
    first = house.order(LONG | {"count": 16})
    house.when(first, "draw")
    second = house.order(LONG | {"width": 160})
    until(lambda: house.sent(second), seconds=60)
    waiting = house.job(second)["progress"]
    house.api.call("cancel_job", job_id=second)

    ended = [house.settled(first, "succeeded"), house.settled(second, "canceled")]

    assert waiting["stage"] == "queued"
    until(lambda: house.tickets() == 0, seconds=60)
    assert not {name for name in house.left_in_s3(second) if name.startswith(("picture", "result"))}
    house.balanced(*ended)


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=[pytest.mark.full, pytest.mark.timeout(900)])])
def test_cancel_against_completion_has_one_winner(house: MailContext, rounds: int) -> None:
    """A cancel that starts within the settlement: the job has succeeded and is paid, or is canceled and is not."""
    ended = []
    for number in range(rounds):
        job_id = house.order(PICTURE)
        cancel = Cancel(house, job_id, pause=0.04 * number)
        with struck_at_start_of(house.log("settle-job"), cancel) as hit:
            job = house.settled(job_id, "succeeded", "canceled")
            until(lambda hit=hit: hit, seconds=10)  # type: ignore[misc]
        assert cancel.refused in ("", "job_already_ended")
        assert job["state"] == ("succeeded" if cancel.refused else "canceled")
        assert house.job(job_id)["state"] == job["state"]
        ended.append(job)
    house.balanced(*ended)


@dataclass
class Cancel:
    """A cancel some time later; `refused` holds the refusal's code."""

    house: MailContext
    job_id: str
    pause: float
    refused: str = ""

    def __call__(self) -> None:
        time.sleep(self.pause)
        try:
            self.house.api.call("cancel_job", job_id=self.job_id)
        except ApiError as error:
            self.refused = error.code
