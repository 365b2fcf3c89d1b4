"""Tickets that no worker has done with in five tries."""

from snapforge.contracts.tickets import Ticket
from snapforge.jobs.service.runs import reports
from snapforge.triggers import queue


@queue("images-dead", Ticket)
def handler(ticket: Ticket) -> None:
    """What is no ticket ends in the context's failure queue."""
    reports.take_dead_ticket(ticket)
