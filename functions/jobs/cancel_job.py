"""POST /v1/jobs/{job_id}/cancel"""

from snapforge.http import Permission, Principal, endpoint
from snapforge.jobs import errors
from snapforge.jobs.schemas import Job
from snapforge.jobs.service.runs import settlement
from snapforge.kit.ids import JobId


@endpoint(
    "POST /v1/jobs/{job_id}/cancel",
    permission=Permission.jobs_cancel,
    raises=(errors.JobNotFound, errors.JobAlreadyEnded),
)
def handler(principal: Principal, job_id: JobId) -> Job:
    """End a job now. Its hold is released whole; canceling it again changes nothing."""
    return settlement.cancel_job(principal, job_id)
