"""How many warm workers there should be, from what waits and what is there. Numbers: tests/bench/simulation."""

from dataclasses import dataclass

WORKER = "image-worker"
"""The name of their Batch jobs."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tickets that no worker has begun."""

    tickets: int = 0
    seconds: float = 0.0
    """Of drawing, by the catalogue, on one worker."""
    oldest: float = 0.0
    """Seconds that the oldest has waited."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Warm workers by Batch's word; `starting` are all between submitted and running."""

    running: int
    starting: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants: no ticket waits longer than `target_seconds` where `most` workers suffice."""

    target_seconds: float
    max_workers: int


def to_start(waiting: Waiting, workers: Workers, policy: Policy) -> int:
    """How many workers to start now.

    As many as draw what waits within the target, one at least. Where the oldest waits longer than that, the workers
    that run are slower than was thought, busy or stuck: then one more than those. Workers that start already count in
    full, and nobody starts more workers than there are tickets for.
    """
    if not waiting.tickets:
        return 0
    late = waiting.oldest > policy.target_seconds
    wanted = max(_for_work(waiting.seconds, policy), workers.running + 1 if late else 1)
    missing = min(wanted, policy.max_workers) - workers.running - workers.starting
    return max(0, min(missing, waiting.tickets - workers.starting))


def seconds_to_begin(ahead: float, policy: Policy) -> float:
    """How long a ticket waits behind `ahead` seconds of drawing, if the workers are there that the policy wants."""
    return ahead / min(_for_work(ahead, policy), policy.max_workers)


def _for_work(seconds: float, policy: Policy) -> int:
    return max(1, -int(-seconds // policy.target_seconds))


LAST_MILESTONE = 128


def is_milestone(tickets: int) -> bool:
    """Whether Dispatch looks after the workers when its ticket is this one: the 1st, 2nd, 4th … 128th of its queue.

    So the first picture never waits for the schedule, and a burst asks Batch a few times and not once a ticket.
    """
    return tickets <= LAST_MILESTONE and tickets & (tickets - 1) == 0
