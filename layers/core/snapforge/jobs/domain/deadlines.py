"""When the house stops waiting, and when the sweeper looks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from snapforge.jobs.domain.requests import ImageParameters, LoraParameters, Parameters

SHARDS = 8
LOOK_EVERY = timedelta(seconds=60)
"""How often the sweeper holds an unfinished job against the engine's truth."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may wait for a machine, and then run."""

    queue: timedelta
    run: timedelta

    @property
    def whole(self) -> timedelta:
        """From dispatch to the latest end."""
        return self.queue + self.run


IMAGE = Limits(timedelta(hours=1), timedelta(minutes=30))
LORA = Limits(timedelta(hours=2), timedelta(hours=3))
SCENE = {
    "draft": Limits(timedelta(hours=2), timedelta(hours=1)),
    "standard": Limits(timedelta(hours=4), timedelta(hours=3)),
    "high": Limits(timedelta(hours=6), timedelta(hours=6)),
}


def limits(parameters: Parameters) -> Limits:
    """The limits of this work."""
    if isinstance(parameters, ImageParameters):
        return IMAGE
    return LORA if isinstance(parameters, LoraParameters) else SCENE[parameters.preset]


def next_look(now: datetime, deadline: datetime) -> datetime:
    """When the sweeper looks again: soon, and never later than just after the deadline."""
    return min(now + LOOK_EVERY, max(now, deadline))


def shard(job_id: str) -> str:
    """The partition of the deadline index; ULIDs end in random letters."""
    return str(sum(job_id.encode()) % SHARDS)
