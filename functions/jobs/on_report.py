"""What workers report."""

from snapforge.contracts.reports import Done, Failed, Progress, Report
from snapforge.jobs.service.runs import reports
from snapforge.triggers import queue


@queue("reports", Report)
def handler(report: Progress | Done | Failed) -> None:
    """Fenced by run, attempt and worker."""
    reports.take_report(report)
