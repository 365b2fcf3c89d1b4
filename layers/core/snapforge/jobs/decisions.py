"""What the keeper of workers has decided last: one row of the table `jobs`."""

from datetime import datetime

from pynamodb.attributes import UnicodeSetAttribute

from snapforge.aws import tables
from snapforge.aws.attributes import IntegerAttribute, TimestampAttribute
from snapforge.jobs.store import JobsRow


class FleetRow(JobsRow, discriminator="Fleet"):
    """The keeper's last decision: written before workers are submitted, so that nobody decides the same again."""

    version = IntegerAttribute(default=0)
    promised = IntegerAttribute(default=0)
    """Workers that were decided on then."""
    promised_at = TimestampAttribute(null=True)
    batch_ids = UnicodeSetAttribute(null=True)
    """Those of them that were submitted."""


def last() -> FleetRow:
    """What the keeper decided last; a new row where it never did. One GetItem."""
    return tables.find(FleetRow, "fleet#images", "fleet") or FleetRow("fleet#images", "fleet")


def promise(row: FleetRow, workers: int, at: datetime) -> None:
    """Write that `workers` will be submitted; Stale when somebody has decided since `row` was read."""
    condition = FleetRow.version == row.version if row.version else FleetRow.pk.does_not_exist()
    row.version, row.promised, row.promised_at, row.batch_ids = row.version + 1, workers, at, None
    tx = tables.Transaction()
    tx.put(row, condition, failed=lambda _: tables.Stale())
    tx.commit()
