"""Where the outbox's events go: starts to Step Functions, ends to the bus."""

from snapforge.aws import bus, states
from snapforge.contracts.reports import FailureCategory
from snapforge.jobs import events
from snapforge.jobs.domain.workflow import RunRef, execution_name
from snapforge.jobs.service.runs import attempts
from snapforge.kit.events import Event


def publish(event: Event) -> None:
    """Publish one event; twice is harmless.

    A run that ended without its worker's word (canceled, out of time) is stopped first: so that nothing works on for
    nobody, even when the process that ended it died right after.
    """
    if event.type in events.STARTING:
        ref = RunRef.model_validate(event.data)
        # One of this name is this run's, whatever became of it: the sweeper looks after runs whose execution ended.
        states.start(execution_name(ref.job_id, ref.run, 0), ref.model_dump())
        return
    if event.type in events.STOPPING:
        failure = event.data.get("failure") or {}
        late = failure.get("category") == FailureCategory.deadline
        attempts.stop_work(event.data["job_id"], event.data["run"], late=late)
    bus.publish(event)
