"""To a provider: a ticket on the queue `providers`, which names who is to draw it."""

from collections.abc import Callable, Sequence

from snapforge.aws import secrets, settings, sqs
from snapforge.contracts.tickets import Ticket
from snapforge.jobs import store
from snapforge.jobs.domain import routing, shares
from snapforge.jobs.domain.requests import ImageParameters
from snapforge.jobs.service.runs.dispatch import manifests
from snapforge.jobs.store import AttemptRow, JobRow
from snapforge.kit import clock
from snapforge.providers import registry

QUEUE = "providers"


def route(parameters: ImageParameters, tried: Sequence[str], is_cold: Callable[[], bool]) -> str | None:
    """Who draws the next attempt, by the installation's settings and keys; None where nobody can.

    tried: the routes of the run's earlier attempts. is_cold: whether no worker of ours is ready; asked only where there
    is a choice.
    """
    allowed = routing.routes(settings.get("IMAGE_ROUTES"))
    if allowed == (routing.OWN,):
        return routing.OWN
    configured = registry.configured(secrets.read("providers"))
    cold = routing.OWN in allowed and parameters.priority != "bulk" and is_cold()
    return routing.choose(parameters, tried, allowed=allowed, configured=configured, cold=cold)


def hand_over(job: JobRow, row: AttemptRow, provider: str) -> None:
    """Write the manifest, send the ticket, note that."""
    parameters = job.parameters
    if not isinstance(parameters, ImageParameters):
        raise TypeError(f"{job.id} is no job for pictures")
    ticket = Ticket(
        job_id=job.id,
        run=row.run,
        attempt=row.attempt,
        manifest_uri=manifests.write(job, row, clock.now()),
        group="",
        pictures=parameters.count,
        provider=provider,
    )
    sqs.send(QUEUE, ticket.model_dump_json(), group=shares.of_org(job.org_id))
    store.change_open_attempt(row, AttemptRow.sent_at.set(clock.now()))
