"""POST /v1/jobs/{job_id}/retry"""

from snapforge.assets import errors as assets_errors
from snapforge.aws.idempotency import KeyReused
from snapforge.billing import errors as billing_errors
from snapforge.http import IdempotencyKey, Permission, Principal, endpoint
from snapforge.jobs import errors
from snapforge.jobs.schemas import Job
from snapforge.jobs.service.submission import submit
from snapforge.kit.ids import JobId
from snapforge.loras import errors as loras_errors


@endpoint(
    "POST /v1/jobs/{job_id}/retry",
    permission=Permission.jobs_create,
    idempotent=True,
    raises=(
        errors.JobNotFound,
        errors.JobNotRetryable,
        *billing_errors.HOLDING,
        assets_errors.CaptureNotReady,
        *loras_errors.TRAINING,
        KeyReused,
    ),
)
def handler(principal: Principal, job_id: JobId, key: IdempotencyKey) -> Job:
    """Run a failed or canceled job again, with the same parameters, at today's price."""
    return submit.retry_job(principal, job_id, key)
