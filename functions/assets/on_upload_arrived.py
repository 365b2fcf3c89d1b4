"""Check a file that has arrived in the uploads bucket."""

from snapforge import observe
from snapforge.assets.service import arrivals
from snapforge.aws.events import ObjectCreated
from snapforge.triggers import aws_event


@aws_event("aws.s3", "Object Created", ObjectCreated, queue="uploaded")
def handler(created: ObjectCreated) -> None:
    """Once or more: it is counted once."""
    found = created.detail.object
    state = arrivals.check_arrival(arrivals.Arrival(found.key, found.size, created.time))
    observe.logger().info("arrived", extra={"key": found.key, "state": state})
