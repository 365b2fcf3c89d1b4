"""What a job cost the house, in millionths of a US dollar: GPU seconds times the instance's price, or a provider's."""

from datetime import datetime

from pydantic import Field

from snapforge.contracts.results import Usage
from snapforge.jobs.domain.requests.priority import Priority
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
    provider: str | None = None
    """Who drew it instead of a machine of ours."""


class Receipt(Schema):
    """The cost receipt of a run."""

    gpu_seconds: float
    """Busy seconds of all attempts, on the GPU or, where there is none, the CPU."""
    instances: list[str]
    interruptions: int
    attempts: int
    priority: Priority = "standard"
    credits: int
    """The price, as held: for `rush` twice the list price."""
    charged: int
    released: int
    cost_micro_usd: int | None = None
    """What machines and providers cost us; absent where part of it is unknown."""
    providers: list[str] = Field(default_factory=list)
    """Who else drew for it, also where that failed."""


def of_usage(attempt: int, usage: Usage) -> Spent:
    """From what a worker, or whoever drew for us, wrote into its result."""
    if usage.provider is not None:
        return Spent(
            attempt=attempt,
            seconds=0.0,
            device="provider",
            instance="none",
            interruptions=usage.interruptions,
            cost_micro_usd=usage.cost_micro_usd,
            provider=usage.provider,
        )
    return _spent(attempt, usage.compute_seconds, usage.device, usage.instance_type, usage.interruptions)


def of_times(attempt: int, started: datetime | None, ended: datetime | None) -> Spent | None:
    """From Batch's clock, where the worker left nothing; None where it never ran."""
    if started is None or ended is None:
        return None
    return _spent(attempt, max(0.0, (ended - started).total_seconds()), "unknown", "unknown", 1)


def known_later(spent: list[Spent], part: Spent) -> list[Spent]:
    """With what an attempt really used instead of what was guessed from the clock when its run ended."""
    return [*(other for other in spent if other.attempt != part.attempt), part]


def total(spent: list[Spent], *, attempts: int, credits: int, charged: int, priority: Priority = "standard") -> Receipt:
    """Of a whole run."""
    costs = [part.cost_micro_usd for part in spent]
    known = [cost for cost in costs if cost is not None]
    return Receipt(
        gpu_seconds=round(sum(part.seconds for part in spent), 3),
        instances=sorted({part.instance for part in spent if part.provider is None}),
        providers=sorted({part.provider for part in spent if part.provider is not None}),
        interruptions=sum(part.interruptions for part in spent),
        attempts=attempts,
        cost_micro_usd=sum(known) if len(known) == len(costs) else None,
        priority=priority,
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
