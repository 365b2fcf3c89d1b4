"""Each minute: start the workers that are missing for what waits."""

from snapforge.jobs.service.fleet import autoscaling
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many workers were started."""
    return {"started": autoscaling.keep_workers()}
