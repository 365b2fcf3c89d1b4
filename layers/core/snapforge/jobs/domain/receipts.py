"""What a job cost the house: GPU seconds times the instance's price, in millionths of a US dollar."""

from datetime import datetime

from snapforge.contracts.results import Usage
from snapforge.kit.schema import Schema

HOUR = 3600
INSTANCE_PRICES: dict[str, int] = {
    "local": 0,
    "g5.2xlarge": 1_516_000,
    "g5.4xlarge": 2_031_000,
    "g6.2xlarge": 1_222_000,
    "g6.4xlarge": 1_654_000,
    "g6e.2xlarge": 2_804_000,
}
"""Micro-USD an hour, on demand in eu-central-1, 2026; Spot is cheaper, so a receipt never understates. The types are
those of the compute environments."""


class Spent(Schema):
    """What one attempt used."""

    attempt: int
    seconds: float
    device: str
    instance: str
    """EC2 type, `local`, or `unknown` where the machine died before it could say."""
    interruptions: int
    cost_micro_usd: int | None = None
    """None where the instance is unknown."""


class Receipt(Schema):
    """The cost receipt of a run."""

    gpu_seconds: float
    """Busy seconds of all attempts, on the GPU or, where there is none, the CPU."""
    instances: list[str]
    interruptions: int
    attempts: int
    credits: int
    """The price, as held."""
    charged: int
    released: int
    cost_micro_usd: int | None = None
    """What the machines cost us; absent where part of it is unknown."""


def of_usage(attempt: int, usage: Usage) -> Spent:
    """From what a worker wrote into its result."""
    return _spent(attempt, usage.compute_seconds, usage.device, usage.instance_type, usage.interruptions)


def of_times(attempt: int, started: datetime | None, ended: datetime | None) -> Spent | None:
    """From Batch's clock, where the worker left nothing; None where it never ran."""
    if started is None or ended is None:
        return None
    return _spent(attempt, max(0.0, (ended - started).total_seconds()), "unknown", "unknown", 1)


def total(spent: list[Spent], *, attempts: int, credits: int, charged: int) -> Receipt:
    """Of a whole run."""
    costs = [part.cost_micro_usd for part in spent]
    known = [cost for cost in costs if cost is not None]
    return Receipt(
        gpu_seconds=round(sum(part.seconds for part in spent), 3),
        instances=sorted({part.instance for part in spent}),
        interruptions=sum(part.interruptions for part in spent),
        attempts=attempts,
        cost_micro_usd=sum(known) if len(known) == len(costs) else None,
        credits=credits,
        charged=charged,
        released=credits - charged,
    )


def _spent(attempt: int, seconds: float, device: str, instance: str, interruptions: int) -> Spent:
    price = INSTANCE_PRICES.get(instance)
    return Spent(
        attempt=attempt,
        seconds=round(seconds, 3),
        device=device,
        instance=instance,
        interruptions=interruptions,
        cost_micro_usd=None if price is None else round(seconds * price / HOUR),
    )
