"""Pictures that others draw for us."""

from snapforge.contracts.tickets import Ticket
from snapforge.jobs.service.fleet import provider_jobs
from snapforge.triggers import Invocation, queue


@queue("providers", Ticket)
def handler(ticket: Ticket, invocation: Invocation) -> None:
    """Once or more; one that AWS itself failed is delivered again."""
    provider_jobs.draw_ticket(ticket, message_id=invocation.message_id, seconds=invocation.remaining_seconds)
