"""Many orders of several orgs at once: all are drawn, by few workers, and nobody waits behind a crowd of another's."""

import httpx
import pytest

from infrastructure.local.region import Region
from tests.local.faults.house import PICTURE, MailContext, new_customer

pytestmark = pytest.mark.part("JOB-4", "JOB-6", "BIL-1")


def test_a_burst_of_twelve_jobs_of_three_orgs_is_drawn_once_and_paid_once(region: Region, web: httpx.Client) -> None:
    """At once and at three priorities: rush costs twice, and every balance is exact."""
    houses = [MailContext(region, new_customer(region, web), web) for _ in range(3)]
    priorities = ("standard", "rush", "bulk", "standard")
    made = [
        (house, house.order(PICTURE | {"seed": 100 + number, "priority": priority}))
        for number, priority in enumerate(priorities)
        for house in houses
    ]

    ended = [(house, house.settled(job_id, "succeeded")) for house, job_id in made]

    assert len({job["id"] for _, job in ended}) == 12
    prices = {
        priority: {job["price"]["charged"] for _, job in ended if job["receipt"]["priority"] == priority}
        for priority in priorities
    }
    (standard,), (rush,), (bulk,) = prices["standard"], prices["rush"], prices["bulk"]
    assert (rush, bulk) == (2 * standard, standard)
    workers = {owner for house, job_id in made for owner in house.batch_ids(job_id)}
    assert len(workers) <= 2
    for house in houses:
        house.balanced(*(job for whose, job in ended if whose is house))
