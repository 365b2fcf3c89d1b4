"""Which pictures are drawn next. Pure: the rule of priorities, of swapping models and of sharing out the costs.

- The most urgent queue leads; of equal urgency the loaded model does, unless a job for another has waited for
  MODEL_SWAP_AFTER_S in flight; then the one that came first.
- In every FAIRNESS_INTERVAL-th micro-batch the least urgent queue leads, so that a steady stream of urgent work
  does not starve the rest.
- Jobs of the same key fill the micro-batch, urgent ones first: that costs the leading job little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from worker.warm.in_flight_job import BatchKey

MODEL_SWAP_AFTER_S = 20.0
FAIRNESS_INTERVAL = 8


class Waiting(Protocol):
    """What the selection asks of a job."""

    key: BatchKey
    arrived: float
    missing: list[int]

    @property
    def priority(self) -> int:
        """0 is the most urgent."""
        ...


AnyJob = TypeVar("AnyJob", bound=Waiting)


@dataclass(frozen=True)
class Share(Generic[AnyJob]):
    """Some pictures of one job, by index."""

    job: AnyJob
    indices: tuple[int, ...]


def is_fairness_turn(turn: int) -> bool:
    """Whether the least urgent may lead micro-batch number `turn`."""
    return turn % FAIRNESS_INTERVAL == FAIRNESS_INTERVAL - 1


def choose(
    jobs: Sequence[AnyJob], capacity: int, loaded: tuple[str, bool] | None, turn: int, now: float
) -> list[Share[AnyJob]]:
    """The next micro-batch: pictures of equal keys, at most `capacity`. Empty where nothing waits.

    `loaded` is the (model, reduced) in memory; `now` is on the clock of `arrived`.
    """

    def rank(job: AnyJob) -> tuple[int, bool, float]:
        urgency = -job.priority if is_fairness_turn(turn) else job.priority
        needs_swap = loaded is not None and (job.key.model, job.key.reduced) != loaded
        return urgency, needs_swap and now - job.arrived < MODEL_SWAP_AFTER_S, job.arrived

    waiting = [job for job in jobs if job.missing]
    if not waiting:
        return []
    lead = min(waiting, key=rank)
    same = [job for job in waiting if job.key == lead.key]
    shares: list[Share[AnyJob]] = []
    left = capacity
    for job in sorted(same, key=lambda job: (job is not lead, job.priority, job.arrived)):
        if left:
            indices = tuple(job.missing[:left])
            shares.append(Share(job, indices))
            left -= len(indices)
    return shares


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts by weight that add up to it exactly; what does not divide goes to the largest rests.

    Equal parts where all weights are 0.
    """
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in by_rest[: total - sum(parts)]:
        parts[at] += 1
    return parts
