"""Which pictures are drawn next. Pure: the rule of priorities, of swapping models and of sharing out the costs.

- The most urgent queue leads; of equal urgency the loaded model does, unless an order for another has waited for
  SWAP_AFTER_S in hand; then the one that came first.
- Every TURN-th micro-batch is led from the other end, so that a steady stream of urgent work does not starve the rest.
- Whoever may be drawn with the leader fills the micro-batch, urgent ones first: riding along costs the leader little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from worker.warm.order import Key

SWAP_AFTER_S = 20.0
TURN = 8


class Waiting(Protocol):
    """An order as the choice sees it."""

    key: Key
    arrived: float
    missing: list[int]

    @property
    def priority(self) -> int:
        """0 is the most urgent."""
        ...


AnyOrder = TypeVar("AnyOrder", bound=Waiting)


@dataclass(frozen=True)
class Share(Generic[AnyOrder]):
    """Some pictures of one order, by index."""

    order: AnyOrder
    indices: tuple[int, ...]


def others_turn(turn: int) -> bool:
    """Whether the least urgent may lead micro-batch number `turn`."""
    return turn % TURN == TURN - 1


def choose(
    orders: Sequence[AnyOrder], room: int, loaded: tuple[str, bool] | None, turn: int, now: float
) -> list[Share[AnyOrder]]:
    """The next micro-batch: pictures of equal keys, at most `room`. Empty where nothing waits.

    `loaded` is the (model, reduced) in memory; `now` is on the clock of `arrived`.
    """

    def rank(order: AnyOrder) -> tuple[int, bool, float]:
        urgency = -order.priority if others_turn(turn) else order.priority
        needs_swap = loaded is not None and (order.key.model, order.key.reduced) != loaded
        return urgency, needs_swap and now - order.arrived < SWAP_AFTER_S, order.arrived

    waiting = [order for order in orders if order.missing]
    if not waiting:
        return []
    lead = min(waiting, key=rank)
    same = [order for order in waiting if order.key == lead.key]
    shares: list[Share[AnyOrder]] = []
    left = room
    for order in sorted(same, key=lambda order: (order is not lead, order.priority, order.arrived)):
        if left:
            indices = tuple(order.missing[:left])
            shares.append(Share(order, indices))
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
