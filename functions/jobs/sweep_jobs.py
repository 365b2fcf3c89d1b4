"""Each minute: publish late events, and hold unfinished jobs against the engine's truth."""

from snapforge.jobs.service.runs import reconciler
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many jobs were looked at."""
    return {"looked": reconciler.sweep()}
