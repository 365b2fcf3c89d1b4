"""The house of the first issue: a container for each job, its model loaded anew, on instances that Batch keeps."""

import heapq
from collections.abc import Sequence

from tests.bench.simulation import machines
from tests.bench.simulation.arrivals import Order
from tests.bench.simulation.warm import Outcome


def run(orders: Sequence[Order], most: int) -> Outcome:
    """Jobs in order of arrival, each on the instance that can begin it first; at most `most` instances.

    Batch starts an instance for a job where none is free, up to `most`, and gives it up when it lingered idle.
    """
    instances: list[tuple[float, float]] = []
    """(when free, since when paid for)."""
    seconds, started, waits = 0.0, 0, []
    for order in orders:
        while instances and instances[0][0] + machines.LINGER < order.at:
            free, began = heapq.heappop(instances)
            seconds += free + machines.LINGER - began
        if (not instances or instances[0][0] > order.at) and len(instances) < most:
            at, began = order.at + machines.BOOT, order.at
            started += 1
        else:
            free, began = heapq.heappop(instances)
            at = max(free, order.at)
        begun = at + machines.CONTAINER + machines.LOAD
        waits.append(begun - order.at)
        heapq.heappush(instances, (begun + machines.drawing(1) * order.pictures, began))
    seconds += sum(free + machines.LINGER - began for free, began in instances)
    pictures = sum(order.pictures for order in orders)
    return Outcome(tuple(waits), machines.dollars(seconds), pictures, started)
