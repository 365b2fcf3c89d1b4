"""Tickets that no worker has done with in five tries."""

from snapforge.contracts.tickets import Ticket
from snapforge.jobs import service
from snapforge.triggers import queue


@queue("images-dead", Ticket)
def handler(ticket: Ticket) -> None:
    """What is no ticket ends in the context's failure queue."""
    service.take_dead_ticket(ticket)
