"""What jobs owns."""

from types import MappingProxyType

from snapforge.aws import probes
from snapforge.kit.ownership import IDEMPOTENCY, OUTBOX, Erase, Ownership, Rows, Table

OWNERSHIP = Ownership(
    tables=(
        # No common outbox: its events start and stop work (service/runs/publishing.py).
        Table(
            "jobs",
            (
                Rows("Job", Erase.delete, export=True),
                Rows("Progress", Erase.delete),
                Rows("Attempt", Erase.delete),
                Rows("Preview", Erase.expires, why="a day after it was made"),
                Rows("Preflight", Erase.delete),
                Rows("Fleet", Erase.nobodys),
                IDEMPOTENCY,
                OUTBOX,
            ),
        ),
    ),
    objects=(Rows("assets/runs/", Erase.delete),),
    probes=MappingProxyType(
        {
            "queues": lambda: probes.queue("REPORTS_QUEUE_URL"),
            "workflow": lambda: probes.state_machine("STATE_MACHINE_ARN"),
            "engine": lambda: probes.batch_queue("standard"),
        }
    ),
)
