"""Orders of pictures as they come: a thin stream, and bursts."""

import random
from dataclasses import dataclass

HOUR = 3600.0


@dataclass(slots=True)
class Order:
    """One job. Times are seconds from the begin."""

    at: float
    org: str
    pictures: int
    group: str
    """What must be equal in a micro-batch."""
    begun: float = -1.0
    ended: float = -1.0


def bursty(seed: int, hours: float, *, per_minute: float = 0.5, bursts_per_hour: float = 4.0) -> list[Order]:
    """A Poisson stream, and bursts of 4 to 60 orders within half a minute, each of one to three orgs."""
    dice = random.Random(seed)
    made: list[Order] = []
    at = 0.0
    while (at := at + dice.expovariate(per_minute / 60)) < hours * HOUR:
        made.append(_order(dice, at, f"org-{min(int(dice.paretovariate(1.0)), 40)}"))
    at = 0.0
    while (at := at + dice.expovariate(bursts_per_hour / HOUR)) < hours * HOUR:
        orgs = [f"org-{dice.randrange(40)}" for _ in range(dice.randint(1, 3))]
        made += [_order(dice, at + dice.uniform(0, 30), dice.choice(orgs)) for _ in range(dice.randint(4, 60))]
    return sorted(made, key=lambda order: order.at)


def flood(seed: int) -> list[Order]:
    """One org sends 400 orders within a minute; for half an hour another one sends one each minute."""
    dice = random.Random(seed)
    made = [_order(dice, dice.uniform(0, 60), "flood") for _ in range(400)]
    made += [_order(dice, 60.0 * minute, "small") for minute in range(1, 31)]
    return sorted(made, key=lambda order: order.at)


def _order(dice: random.Random, at: float, org: str) -> Order:
    size = dice.choices(("1:1", "3:2", "2:3", "16:9"), (6, 2, 1, 1))[0]
    return Order(at, org, dice.choices((1, 2, 4), (5, 2, 3))[0], f"flux-schnell:{size}:4:0")
