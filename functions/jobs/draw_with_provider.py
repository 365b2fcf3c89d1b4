"""Pictures that others draw for us."""

from snapforge.contracts.tickets import Ticket
from snapforge.jobs import service
from snapforge.triggers import Invocation, queue


@queue("providers", Ticket)
def handler(ticket: Ticket, invocation: Invocation) -> None:
    """Once or more; one that AWS itself failed is delivered again."""
    service.draw_ticket(ticket, message_id=invocation.message_id, seconds=invocation.remaining_seconds)
