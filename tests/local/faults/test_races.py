"""Eight processes at once, by HTTP: on one balance, one idempotency key, one job."""

from collections import Counter

import httpx
import pytest

from infrastructure.local.region import Region
from tests.local.faults.racer import PROCESSES, Call, race
from tests.local.faults.scenario import Scenario, new_customer
from tests.support.region import until

pytestmark = pytest.mark.part("BIL-1", "JOB-3", "JOB-5")

BIG = {"kind": "image", "prompt": "a red cube", "width": 192, "height": 192, "count": 16, "steps": 50, "seed": 1}
"""Some dozen credits, and nothing that a worker would finish during a race."""


@pytest.fixture
def poor(region: Region, web: httpx.Client) -> Scenario:
    """A customer with no more than the sign-up grant."""
    return Scenario(region, new_customer(region, web), web)


def test_eight_processes_on_one_balance_then_on_one_job(poor: Scenario) -> None:
    """As many jobs as the credits allow, not one more; then each ends once, and one process may run it again."""
    base, token = poor.api.base_url, poor.customer.api_key
    credits = int(poor.api.call("preview_job", body=BIG).json["credits"])
    afford = poor.began // credits
    assert 0 < afford < PROCESSES

    orders = [[Call("/v1/jobs", f"order-number-{number}", BIG)] for number in range(PROCESSES)]
    told = [answer for row in race(base, token, orders) for answer in row]

    assert Counter(answer.status for answer in told) == {201: afford, 402: PROCESSES - afford}
    assert poor.balance()["held"] == afford * credits
    assert poor.balance()["available"] == poor.began - afford * credits
    assert poor.faults() == []
    jobs = [str(answer.body["id"]) for answer in told if answer.status == 201]

    cancels = [[Call(f"/v1/jobs/{job_id}/cancel", "-") for job_id in jobs] for _ in range(PROCESSES)]
    refused = [answer for row in race(base, token, cancels) for answer in row if answer.status != 200]
    assert refused == []
    poor.balanced(*(poor.settled(job_id, "canceled") for job_id in jobs))

    retries = [[Call(f"/v1/jobs/{jobs[0]}/retry", f"retry-number-{number}")] for number in range(PROCESSES)]
    again = Counter(row[0].status for row in race(base, token, retries))
    assert again == {200: 1, 409: PROCESSES - 1}
    assert poor.job(jobs[0])["run"] == 2
    assert poor.balance()["held"] == credits
    poor.api.call("cancel_job", job_id=jobs[0])
    poor.balanced(poor.settled(jobs[0], "canceled"))
    until(lambda: poor.tickets() == 0, seconds=60)


def test_eight_processes_with_one_idempotency_key_make_one_job(poor: Scenario) -> None:
    """All are answered with the same job; one hold."""
    orders = [[Call("/v1/jobs", "the-same-key", BIG)] for _ in range(PROCESSES)]
    told = [row[0] for row in race(poor.api.base_url, poor.customer.api_key, orders)]

    assert {answer.status for answer in told} <= {201, 409}
    made = {answer.body["id"] for answer in told if answer.status == 201}
    assert len(made) == 1
    assert [job["id"] for job in poor.api.call("list_jobs").json["items"]] == list(made)
    (job_id,) = made
    assert poor.balance()["held"] == poor.job(job_id)["price"]["credits"]
    poor.api.call("cancel_job", job_id=job_id)
    poor.balanced(poor.settled(job_id, "canceled"))
