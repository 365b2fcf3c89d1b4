"""Where an open attempt is that is no Batch job of its own: the keys of the index `place`."""

from snapforge.jobs.domain.requests.priority import Priority


def queue(priority: Priority) -> str:
    """The queue of tickets, by its name after `snapforge-<stage>-`; an attempt is there until a worker has begun."""
    return f"images-{priority}"


def worker(batch_id: str) -> str:
    """With the warm worker that has claimed it."""
    return f"worker-{batch_id}"


QUEUES = (queue("rush"), queue("standard"), queue("bulk"))
"""In the order in which workers drain them."""
