"""A warm worker without room on its disk ends what it has, gives back the rest and leaves: a fresh one takes over."""

import resource
from collections.abc import Iterator

import pytest

from snapforge.contracts.reports import Done, FailureCategory
from snapforge.contracts.tickets import CLAIM
from tests.gpu_batch.frame.region import Region, wait_for
from tests.gpu_batch.frame.test_warm import failed, resumed
from tests.gpu_batch.frame.warm import Fleet, batches, fleet_of, kept

pytestmark = pytest.mark.part("JOB-4")


@pytest.fixture
def fleet(region: Region) -> Iterator[Fleet]:
    """Queues of this test alone."""
    made = fleet_of(region)
    yield made
    made.close()


def test_while_drawing_it_tells_what_it_has_begun_and_puts_back_the_rest(fleet: Fleet) -> None:
    """Its idle time is a minute; it waits for none of it, and stops drawing what it could not keep."""
    begun = fleet.submit(seed=10, count=12, guidance=0.5)
    other = fleet.submit("bulk", seed=50, width=80)
    worker = fleet.start(IDLE_SECONDS="60")
    wait_for(lambda: kept(begun) >= 4, "four kept")
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))

    assert worker.wait() == 75

    left = range(10 + kept(begun), 22)
    assert left
    assert (failed(begun).category, failed(begun).code) == (FailureCategory.transient, "disk_full")
    assert CLAIM not in other.names()
    assert other.receive_reports() == []
    assert fleet.visible() == fleet.waiting() == 1
    again = resumed(fleet, begun)
    second = fleet.run("warm-2")
    assert isinstance(again.last, Done)
    assert isinstance(other.last, Done)
    assert sorted(seed for batch in batches(second) for seed in batch) == [*left, 50]


def test_an_order_that_has_no_room_to_begin_is_told_and_no_other_is_taken(fleet: Fleet) -> None:
    """A ticket that only came back would be taken again and again, and then die for the worker's disk."""
    first = fleet.submit("rush", seed=1)
    behind = fleet.submit("bulk", seed=2, width=80)

    worker = fleet.run(module="tests.gpu_batch.frame.toy_full_disk", IDLE_SECONDS="60")

    assert worker.code == 75
    assert batches(worker) == []
    assert (failed(first).category, failed(first).code) == (FailureCategory.transient, "disk_full")
    assert CLAIM not in behind.names()
    assert fleet.visible() == fleet.waiting() == 1
    assert fleet.run("warm-2").code == 0
    assert isinstance(behind.last, Done)
