"""POST /v1/jobs/{job_id}/cancel"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.jobs import errors, service
from snapforge.jobs.schemas import Job


@endpoint(
    "POST /v1/jobs/{job_id}/cancel",
    permission=Permission.jobs_cancel,
    raises=(errors.JobNotFound, errors.JobAlreadyEnded),
)
def handler(principal: Principal, job_id: str) -> Job:
    """End a job now. Its hold is released whole; canceling it again changes nothing."""
    return service.cancel_job(principal, job_id)
