"""What workers report."""

from snapforge.contracts.reports import Done, Failed, Progress, Report
from snapforge.jobs import service
from snapforge.triggers import queue


@queue("reports", Report)
def handler(report: Progress | Done | Failed) -> None:
    """Fenced by run, attempt and worker."""
    service.take_report(report)
