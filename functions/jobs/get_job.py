"""GET /v1/jobs/{job_id}"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.jobs import errors
from snapforge.jobs.schemas import Job
from snapforge.jobs.service import queries
from snapforge.kit.ids import JobId


@endpoint("GET /v1/jobs/{job_id}", permission=Permission.jobs_read, raises=(errors.JobNotFound,))
def handler(principal: Principal, job_id: JobId) -> Job:
    """A job with its progress, and in the end its results, failure and receipt. Poll it with `If-None-Match`."""
    return queries.get_job(principal, job_id)
