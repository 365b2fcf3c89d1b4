"""Many orders of several orgs at once: all are drawn, by few workers, and nobody waits behind a crowd of another's."""

import httpx
import pytest

from infrastructure.local.region import Region
from tests.local.faults.scenario import PICTURE, Scenario, new_customer

pytestmark = pytest.mark.part("JOB-4", "JOB-6", "BIL-1")


def test_a_burst_of_twelve_jobs_of_three_orgs_is_drawn_once_and_paid_once(region: Region, web: httpx.Client) -> None:
    """At once and at three priorities: rush costs twice, and every balance is exact."""
    scenarios = [Scenario(region, new_customer(region, web), web) for _ in range(3)]
    priorities = ("standard", "rush", "bulk", "standard")
    made = [
        (scenario, scenario.order(PICTURE | {"seed": 100 + number, "priority": priority}))
        for number, priority in enumerate(priorities)
        for scenario in scenarios
    ]

    ended = [(scenario, scenario.settled(job_id, "succeeded")) for scenario, job_id in made]

    assert len({job["id"] for _, job in ended}) == 12
    prices = {
        priority: {job["price"]["charged"] for _, job in ended if job["receipt"]["priority"] == priority}
        for priority in priorities
    }
    (standard,), (rush,), (bulk,) = prices["standard"], prices["rush"], prices["bulk"]
    assert (rush, bulk) == (2 * standard, standard)
    workers = {owner for scenario, job_id in made for owner in scenario.batch_ids(job_id)}
    assert len(workers) <= 2
    for scenario in scenarios:
        scenario.balanced(*(job for whose, job in ended if whose is scenario))
