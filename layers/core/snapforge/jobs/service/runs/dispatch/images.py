"""To the warm workers: a ticket on the queue of its priority, in the message group of its org."""

from snapforge.aws import sqs
from snapforge.contracts.tickets import Ticket
from snapforge.jobs import store
from snapforge.jobs.domain import fleet, locations, shares
from snapforge.jobs.domain.requests import ImageParameters
from snapforge.jobs.service.fleet import autoscaling
from snapforge.jobs.service.runs.dispatch import manifests
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.kit import clock


def hand_over(job: JobRow, row: AttemptRow) -> None:
    """Write the manifest, send the ticket, note that; then see to it that somebody comes for it."""
    parameters = job.parameters
    if not isinstance(parameters, ImageParameters):
        raise TypeError(f"{job.id} is no job for pictures")
    manifest_uri = manifests.write(job, row, clock.now())
    ticket = Ticket(
        job_id=job.id,
        run=row.run,
        attempt=row.attempt,
        manifest_uri=manifest_uri,
        group=group(parameters),
        pictures=parameters.count,
    )
    queue = locations.queue(parameters.priority)
    sqs.send(queue, ticket.model_dump_json(), group=shares.of_org(job.org_id))
    # Where it has ended meanwhile, its marker lies beside the manifest.
    store.change_open_attempt(row, AttemptRow.sent_at.set(clock.now()))
    ahead_and_this = len(store.in_place(queue, row.placed_at, limit=fleet.LAST_MILESTONE + 1))
    if fleet.is_milestone(ahead_and_this):
        autoscaling.keep_workers()


def group(parameters: ImageParameters) -> str:
    """Tickets of one group can be drawn side by side: all that must be equal in a batch."""
    size = f"{parameters.width}x{parameters.height}"
    loras = sorted(f"{use.id}.{use.version}*{use.weight:g}" for use in parameters.loras)
    return ":".join([parameters.model, size, str(parameters.steps), f"{parameters.guidance:g}", *loras])
