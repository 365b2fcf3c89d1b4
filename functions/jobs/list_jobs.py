"""GET /v1/jobs"""

from snapforge.http import Permission, Principal, Query, endpoint
from snapforge.jobs.schemas import JobsQuery, JobSummary
from snapforge.jobs.service import queries
from snapforge.kit.page import InvalidCursor, Page


@endpoint("GET /v1/jobs", permission=Permission.jobs_read, raises=(InvalidCursor,))
def handler(principal: Principal, query: Query[JobsQuery]) -> Page[JobSummary]:
    """The org's jobs, newest first, by kind and state. A filtered page may be short: go on while there is a cursor."""
    return queries.list_jobs(principal, query)
